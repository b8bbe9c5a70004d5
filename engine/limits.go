package engine

// Limits of every store.
const (
	MaxStreamSize       = 255      // bytes of a stream's name
	MaxTypeSize         = 255      // bytes of an event's type
	MaxTags             = 64       // of one event
	MaxTagSize          = 255      // bytes of one tag
	MaxAppendSize       = 64 << 20 // bytes of one append, encoded
	MinEventLimit       = 64 << 10 // the least bound on the size of an event that a store may have
	MaxEventLimit       = 16 << 20 // the greatest
	DefaultMaxEventSize = 1 << 20
)
