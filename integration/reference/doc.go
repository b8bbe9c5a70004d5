// Package reference compares what SQLite does not have with DuckDB: percentiles, grouping sets,
// QUALIFY, windows of intervals, time zones. It is a module of its own, because DuckDB needs cgo.
//
// A new construct is one more row of a table in a file *_rows_test.go.
package reference
