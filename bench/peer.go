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
	// open opens the store in dir, creating it if need be.
	open(dir string) error
	// append appends one event to its stream if the stream has e.version events, and returns when
	// it is durable. Clients call it at once, each with its own number from 0.
	append(ctx context.Context, client int, e *event) error
	// appendAll appends the events in one transaction, with the check of append for each.
	appendAll(ctx context.Context, events []event) error
	// scan decodes every event in order into a struct.
	scan(use func(*event)) error
	// readStream decodes a stream's events in order into structs.
	readStream(stream string, use func(*event)) error
	countByType() (map[string]int64, error)
	countOfType(typ string) (int64, error)
	// sumByType sums the payload's field amount.
	sumByType() (map[string]int64, error)
	close() error
}

// A statistician is one of ours, which counts what its writer does.
type statistician interface {
	stats() (engine.Stats, error)
}

var errUnsupported = errors.New("not supported")

// unsupported is embedded by peers that do not do everything.
type unsupported struct{}

func (unsupported) readStream(string, func(*event)) error  { return errUnsupported }
func (unsupported) countByType() (map[string]int64, error) { return nil, errUnsupported }
func (unsupported) countOfType(string) (int64, error)      { return 0, errUnsupported }
func (unsupported) sumByType() (map[string]int64, error)   { return nil, errUnsupported }

// errVersion is how the peers that have no such check of their own refuse an append.
var errVersion = errors.New("the stream is at another version")

// peers are the stores, in the order of the table. Ours come first: once through database/sql, once
// through the engine.
var peers = []struct {
	name string
	make func() peer
}{
	{"eventfold (database/sql)", func() peer { return &eventfoldSQL{} }},
	{"eventfold (engine)", func() peer { return &eventfoldEngine{} }},
	{"eventfold (engine, compress=zstd)", func() peer {
		return &eventfoldEngine{options: filestore.Options{Compress: filestore.CompressZstd, SegmentSize: 16 << 20}}
	}},
	{"SQLite (mattn, WAL, FULL)", func() peer { return &sqlStore{dialect: mattn} }},
	{"SQLite (mattn), every index", func() peer { return &sqlStore{dialect: indexed()} }},
	{"SQLite (modernc, WAL, FULL)", func() peer { return &sqlStore{dialect: modernc} }},
	{"SQLite (mattn) behind group commit", func() peer { return &grouped{store: &sqlStore{dialect: mattn}} }},
	{"bbolt (Batch)", func() peer { return &boltStore{} }},
	{"pebble (Sync)", func() peer { return &pebbleStore{} }},
	{"PostgreSQL 15 (unix socket)", func() peer { return &postgresStore{} }},
	{"NATS JetStream (sync always)", func() peer { return &jetstreamStore{} }},
	{"DuckDB", func() peer { return &sqlStore{dialect: duck} }},
	{"tidwall/wal", func() peer { return &walStore{} }},
}
