package engine

import "context"

// A Progress tells how far something is that takes long.
type Progress struct {
	// Done and Total are bytes that are read or written. Total is an estimate, which Done may pass a
	// little.
	Done, Total int64
}

// progressKey is that of WithProgress in a context.
type progressKey struct{}

// WithProgress returns a context under which Verify, Backup, a salvage and whoever applies a ledger
// tell how far they are, about once in a MiB. They call tell from any goroutine, several at a time, and wait for it.
func WithProgress(ctx context.Context, tell func(Progress)) context.Context {
	return context.WithValue(ctx, progressKey{}, tell)
}

// ProgressOf returns what WithProgress was given, nil if nobody wants to know. It is for stores.
func ProgressOf(ctx context.Context) func(Progress) {
	tell, _ := ctx.Value(progressKey{}).(func(Progress))
	return tell
}
