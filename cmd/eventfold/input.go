package main

import (
	"context"
	"io"
	"os"
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

// openInput opens a file for reading. If it is a pipe with a name, or another that may have to be
// waited for, neither that somebody opens its other end nor a Read outlasts ctx.
func openInput(ctx context.Context, name string) (io.ReadCloser, error) {
	if info, err := os.Stat(name); err != nil || info.Mode().IsRegular() {
		return os.Open(name)
	}
	opened := make(chan *os.File)
	failed := make(chan error, 1)
	go func() { // ends when somebody opens the other end, or with the process
		f, err := os.Open(name)
		if err != nil {
			failed <- err
			return
		}
		select {
		case opened <- f:
		case <-ctx.Done():
			f.Close()
		}
	}()
	select {
	case f := <-opened:
		return struct {
			io.Reader
			io.Closer
		}{interruptible(ctx, f), f}, nil
	case err := <-failed:
		return nil, err
	case <-ctx.Done():
		return nil, &os.PathError{Op: "open", Path: name, Err: ctx.Err()}
	}
}

// readInput returns what is in a file that openInput opens.
func readInput(ctx context.Context, name string) ([]byte, error) {
	f, err := openInput(ctx, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}
