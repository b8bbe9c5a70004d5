package eventfold

import (
	"context"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/query"
)

// A nativeStore is the store as Conn.Store hands it out. What it returns is the engine's own, but
// for the errors: each is an *Error with the engine's error behind it, so that both vocabularies
// hold, errors.Is with a Code or with a sentinel of package engine.
type nativeStore struct{ engine.Store }

// Unwrap returns the store as the connection has it.
func (s nativeStore) Unwrap() engine.Store { return s.Store }

// native makes an *Error of an error of the engine.
func native(ctx context.Context, op string, err error) error {
	return wrapError(ctx, op, "", err)
}

func (s nativeStore) Append(ctx context.Context, batch ...engine.Append) (engine.Appended, error) {
	appended, err := s.Store.Append(ctx, batch...)
	return appended, native(ctx, "append", err)
}

// Erasures lists the erasures of the store, none if it cannot erase.
func (s nativeStore) Erasures(ctx context.Context) ([]engine.ErasureInfo, error) {
	if store, ok := query.Offers[engine.Eraser](s.Store); ok {
		list, err := store.Erasures(ctx)
		return list, native(ctx, "read", err)
	}
	return nil, ctx.Err()
}

func (s nativeStore) ReadIndex() engine.ReadIndex {
	return nativeIndex{s.Store.ReadIndex()}
}

func (s nativeStore) Wait(ctx context.Context, p engine.Position) error {
	return native(ctx, "wait", s.Store.Wait(ctx, p))
}

func (s nativeStore) Close() error {
	return native(context.Background(), "close", s.Store.Close())
}

// A nativeIndex is a ReadIndex of a nativeStore.
type nativeIndex struct{ engine.ReadIndex }

var _ engine.Parter = nativeIndex{}

func (i nativeIndex) At(h engine.Position) engine.ReadIndex {
	return nativeIndex{i.ReadIndex.At(h)}
}

// Parts returns the filter itself if the index of the store does not divide scans.
func (i nativeIndex) Parts(what engine.Filter, n int) []engine.Filter {
	if parter, ok := i.ReadIndex.(engine.Parter); ok {
		return parter.Parts(what, n)
	}
	return []engine.Filter{what}
}

func (i nativeIndex) StreamVersion(stream string) (engine.Version, bool, error) {
	v, ok, err := i.ReadIndex.StreamVersion(stream)
	return v, ok, native(context.Background(), "read", err)
}

func (i nativeIndex) ReadAll(
	ctx context.Context, from engine.Position, dir engine.Direction,
) engine.Cursor {
	return nativeCursor{i.ReadIndex.ReadAll(ctx, from, dir), ctx}
}

func (i nativeIndex) ReadStream(
	ctx context.Context, stream string, from engine.Version, dir engine.Direction,
) engine.Cursor {
	return nativeCursor{i.ReadIndex.ReadStream(ctx, stream, from, dir), ctx}
}

func (i nativeIndex) Scan(
	ctx context.Context, what engine.Filter, columns engine.ColumnSet,
) engine.BatchCursor {
	return nativeBatches{i.ReadIndex.Scan(ctx, what, columns), ctx}
}

func (i nativeIndex) Count(ctx context.Context, what engine.Filter) (int64, error) {
	n, err := i.ReadIndex.Count(ctx, what)
	return n, native(ctx, "read", err)
}

func (i nativeIndex) Streams(ctx context.Context, prefix string) engine.StreamCursor {
	return nativeStreams{i.ReadIndex.Streams(ctx, prefix), ctx}
}

func (i nativeIndex) Types(ctx context.Context) ([]engine.TypeInfo, error) {
	types, err := i.ReadIndex.Types(ctx)
	return types, native(ctx, "read", err)
}

// A nativeCursor is a Cursor of a nativeStore; so are nativeBatches and nativeStreams. They go on
// being Reusers.
type nativeCursor struct {
	engine.Cursor
	ctx context.Context
}

func (c nativeCursor) Err() error   { return native(c.ctx, "read", c.Cursor.Err()) }
func (c nativeCursor) Close() error { return native(c.ctx, "close", c.Cursor.Close()) }
func (c nativeCursor) Reuse()       { reuse(c.Cursor) }

type nativeBatches struct {
	engine.BatchCursor
	ctx context.Context
}

func (c nativeBatches) Err() error   { return native(c.ctx, "read", c.BatchCursor.Err()) }
func (c nativeBatches) Close() error { return native(c.ctx, "close", c.BatchCursor.Close()) }
func (c nativeBatches) Reuse()       { reuse(c.BatchCursor) }

type nativeStreams struct {
	engine.StreamCursor
	ctx context.Context
}

func (c nativeStreams) Err() error   { return native(c.ctx, "read", c.StreamCursor.Err()) }
func (c nativeStreams) Close() error { return native(c.ctx, "close", c.StreamCursor.Close()) }

// reuse lets a cursor use its memory again if it can.
func reuse(cursor any) {
	if reuser, ok := cursor.(engine.Reuser); ok {
		reuser.Reuse()
	}
}
