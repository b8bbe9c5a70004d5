package query

import (
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A tableColumn is one column of a table.
type tableColumn struct {
	Column
	affinity value.Affinity
	collate  value.Collation
	hidden   bool // not part of *
	tags     bool // the tags of events
}

// scanBounds are what a scan is told so that it reads less.
type scanBounds struct {
	engine.Filter
	fleeting bool      // the reader keeps nothing of a batch when it asks for the next, except types
	seen     *seenScan // in a serializable transaction: what is told when all events have been read
}

// batches are a table that is being read, batch by batch.
type batches interface {
	// next returns nil at the end. The batch is valid until the next call.
	next() (*expr.Batch, error)
	// close releases what the batches hold.
	close() error
}

// batchRows is the number of rows of a full Batch.
const batchRows = 1024

// A catalog finds the tables that a statement names.
type catalog interface {
	table(t *parser.Table) (table, error)
}

// A table is a table as the compiler knows it. It is immutable.
type table interface {
	// name is how EXPLAIN and columns' qualifiers call the table.
	name() string
	schema() []tableColumn
	// scan reads the rows within bounds as the execution's snapshot has them; it may give more, never
	// fewer: WHERE is evaluated again. columns lists the ordinals (into schema) that will be read.
	scan(ex *execution, columns []int, b scanBounds) (batches, error)
}
