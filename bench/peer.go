package main

import (
	"context"
	"errors"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
)

// A peer is a store under test, with the settings that its users would pick for durable use.
// A method that a peer does not have returns errUnsupported; its cell of the table stays empty.
type peer interface {
	// open opens the store in dir, creating it if need be. The error is a *missingError if the
	// store is a program that is not installed here.
	open(dir string) error
	// append appends one event to its stream if the stream has e.version events, and returns when
	// it is durable. Clients call it at once, each with its own number from 0.
	append(ctx context.Context, client int, e *event) error
	// appendAll appends the events in one transaction, with the check of append for each.
	appendAll(ctx context.Context, events []event) error
	// scan decodes every event in order into a struct.
	scan(use func(*event)) error
	// readAt decodes event n of the log, counted from 0, into a struct.
	readAt(n int64, use func(*event)) error
	// readStream decodes a stream's events in order into structs.
	readStream(stream string, use func(*event)) error
	countByType() (map[string]int64, error)
	countOfType(typ string) (int64, error)
	// sumByType sums the payload's field amount.
	sumByType() (map[string]int64, error)
	close() error
}

// An identifier is a peer that keeps ids which clients have made, so that what is appended once
// more is found to be there.
type identifier interface {
	// useIDs is called before open. Every event that is appended then has an id.
	useIDs()
}

// A rower is a peer that takes the events of an append as the rows of one statement.
type rower interface {
	// appendRows appends as appendAll does. Every call has as many events, of one stream.
	appendRows(ctx context.Context, events []event) error
}

// A follower is a peer that tells of events when they are appended.
type follower interface {
	// follow calls use for every event of the stream, from the first one on and as they come, until
	// the context ends, whose error it returns.
	follow(ctx context.Context, stream string, use func(*event)) error
}

// A statistician is one of ours, which counts what its writer does.
type statistician interface {
	stats() (engine.Stats, error)
}

var errUnsupported = errors.New("not supported")

// A missingError is about a peer that is not installed here.
type missingError struct{ err error }

func (e *missingError) Error() string { return "not installed here: " + e.err.Error() }
func (e *missingError) Unwrap() error { return e.err }

// unsupported is embedded by peers that do not do everything.
type unsupported struct{}

func (unsupported) readStream(string, func(*event)) error  { return errUnsupported }
func (unsupported) countByType() (map[string]int64, error) { return nil, errUnsupported }
func (unsupported) countOfType(string) (int64, error)      { return 0, errUnsupported }
func (unsupported) sumByType() (map[string]int64, error)   { return nil, errUnsupported }

// errVersion is how the peers that have no such check of their own refuse an append.
var errVersion = errors.New("the stream is at another version")

// errPresent is how they refuse an event whose id they have.
var errPresent = errors.New("an event with that id is stored")

// peers are the stores, in the order of the table. Ours come first: once through database/sql, once
// through the engine. docs/performance.md says why each has the settings that it has.
var peers = []struct {
	name string
	make func() peer
}{
	{oursSQL, func() peer { return &eventfoldSQL{} }},
	{oursEngine, func() peer { return &eventfoldEngine{} }},
	{oursZstd, func() peer {
		return &eventfoldEngine{options: filestore.Options{Compress: filestore.CompressZstd, SegmentSize: 16 << 20}}
	}},
	{sqlitePeer, func() peer { return &sqlStore{dialect: mattn} }},
	{indexedPeer, func() peer { return &sqlStore{dialect: indexed()} }},
	{"SQLite (modernc, WAL, FULL)", func() peer { return &sqlStore{dialect: modernc} }},
	{"SQLite (mattn) behind group commit", func() peer { return &grouped{store: &sqlStore{dialect: mattn}} }},
	{boltPeer, func() peer { return &boltStore{} }},
	{pebblePeer, func() peer { return &pebbleStore{} }},
	{"PostgreSQL (unix socket)", func() peer { return &postgresStore{} }},
	{"NATS JetStream (sync always)", func() peer { return &jetstreamStore{} }},
	{duckPeer, func() peer { return &duckStore{sqlStore{dialect: duck}} }},
	{walPeer, func() peer { return &walStore{} }},
}
