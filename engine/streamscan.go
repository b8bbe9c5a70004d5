package engine

import "context"

// A StreamScanner is a ReadIndex that can read events stream by stream.
// The ReadIndex of the embedded store is one.
type StreamScanner interface {
	// ScanStreams reads the events that pass the filter, as Scan does, in another order: one stream
	// after the other, in byte order of their names, and each from its first event to its last.
	// Direction and Limit of the filter do not matter. It returns nil if that is of no use: where the
	// filter lists streams, tags, ids or alternatives, so that Scan finds the events at once, or where
	// there are too many events. Streams, versions, types and times of the events are read from the
	// indexes if no other column is asked for.
	ScanStreams(ctx context.Context, what Filter, columns ColumnSet) BatchCursor
}

// A Timeless is a StreamCursor that can do without times, which are most of its work. The cursors of
// the embedded store are.
type Timeless interface {
	// WithoutTimes is called before the first Next. From then on CreatedAt and UpdatedAt of a
	// StreamInfo mean nothing.
	WithoutTimes()
}

// An IndexedScanner is a ReadIndex that takes some columns of a scan from its indexes.
// The ReadIndex of the embedded store is one.
type IndexedScanner interface {
	// ScansIndexes reports whether Scan reads no events, but for a few at the beginning, because the
	// indexes know all that is asked for.
	ScansIndexes(what Filter, columns ColumnSet) bool
}
