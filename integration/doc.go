// Package integration holds eventfold against other programs: SQLite as the oracle of the dialect,
// and the scanners, builders and wrappers that people put on top of database/sql. It is a module of
// its own so that its dependencies reach nobody else.
package integration
