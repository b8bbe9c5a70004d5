package retain

import (
	"context"
	"database/sql"
)

// A Policy is a list of rules. Parse makes one, and nothing changes it: any number of goroutines
// may use it.
type Policy struct{ Rules []Rule }

// A Rule names events that are to be erased. The comment of the package says what its fields mean.
type Rule struct {
	Name       string
	Types      []string // nil for any
	Categories []string // nil for any
	Streams    string   // a pattern; "" for any
	OlderThan  Age      // zero for any age
	KeepLast   int64    // of each stream; 0 for none
	Erase      string
	Reason     string
	Line       int // of the policy's text, from 1
}

// A DB runs statements: *sql.DB, *sql.Conn and *sql.Tx are some.
type DB interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// A RuleError says which rule could not be planned or run. Err is what the database said.
type RuleError struct {
	Rule string
	Err  error
}

// Error implements error.
func (e *RuleError) Error() string { return "retain: rule \"" + e.Rule + "\": " + e.Err.Error() }

// Unwrap returns what the database said.
func (e *RuleError) Unwrap() error { return e.Err }
