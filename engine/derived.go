package engine

import (
	"context"
	"errors"
	"io"
)

// A Deriver is a Store that knows of what others derive from its events and keep: in the memory of
// this process, which it has let go of what is erased, and in files beside its log. The embedded
// store is one. Whoever keeps something works with other engines, too: he then looks himself for what
// was erased, and has no files.
//
// What is derived goes by a name of 1 to 64 letters from a to z, digits and hyphens. It can be made
// from the log anew at any time, so that nothing of it is ever a reason for an error of the store.
type Deriver interface {
	Store
	// OnErase has forget called with what an erasure names (it may name more): by the goroutine that
	// appends it, when it is effective and before Append returns, and once more before the store tells
	// that it is done. As long as forget returns an error, an erasure is not done, and it is tried
	// again. It must not append. Several may be called for one store, one after the other, and one of
	// them by several goroutines at once.
	//
	// stop ends that; a call that has begun goes on.
	OnErase(forget func(ctx context.Context, erased Spans) error) (stop func())

	// MayDerive reports whether this process may write files now: it holds the write lock.
	MayDerive() bool

	// WriteDerived durably replaces what is kept under a name by what write writes. Only the process
	// that holds the write lock may; in others it returns ErrReadOnly. It returns ErrStaleDerived, and
	// writes nothing, if d does not say what is in the log: an erasure is not known to it, or not done
	// yet, or no append ends at its position. After any error there is what was kept before, or the new one, or nothing.
	//
	// Erasures wait while one is written.
	WriteDerived(ctx context.Context, name string, d Derived, write func(to io.Writer) error) error

	// ReadDerived calls read with what is kept under a name, if that is whole and of this log, and
	// otherwise returns ErrNoDerived. Only when from has given io.EOF, all of it has been checked. The
	// position of d is not beyond the head. d.Erasures may be behind: what was erased since is the
	// caller's to look at. Any process may read, also while another one writes.
	ReadDerived(ctx context.Context, name string, read func(d Derived, from io.Reader) error) error

	// RemoveDerived removes what is kept under other names than those to keep.
	RemoveDerived(ctx context.Context, keep func(name string) bool) error
}

// A Derived says from what something is derived.
type Derived struct {
	Position Position // from the events before it
	Erasures Version  // of ErasuresStream, up to which it knows what was erased; NoVersion for none
}

// Why nothing derived is written or read.
var (
	ErrStaleDerived = errors.New("eventfold: what was derived is not of the log as it is now")
	ErrNoDerived    = errors.New("eventfold: nothing that was derived is kept under this name")
)
