// Package projection holds the helpers of eventfold that keep read models and snapshots against the
// databases that people keep them in: SQLite and PostgreSQL.
package projection
