package main

import (
	"context"
	"io"
)

// interruptible returns a reader of what comes from in, whose Read ends with ctx: nobody can tell
// a pipe or a terminal to stop, so that a signal would wait for the next byte otherwise. What waits
// for that byte then is a goroutine, which ends with it, or with the process.
func interruptible(ctx context.Context, in io.Reader) io.Reader {
	from, to := io.Pipe()
	stop := context.AfterFunc(ctx, func() { _ = to.CloseWithError(context.Cause(ctx)) })
	go func() { // ends with in, or with the first byte of it behind the end of ctx
		_, err := io.Copy(to, in)
		stop()
		_ = to.CloseWithError(err)
	}()
	return from
}
