package query

import (
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
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
	fleeting bool // the reader keeps nothing of a batch when it asks for the next, except types
}

// batches are a table that is being read, batch by batch.
type batches interface {
	// next returns nil at the end. The batch is valid until the next call.
	next() (*tableBatch, error)
	// close releases what the batches hold.
	close() error
}

// A tableBatch is up to 1,024 rows by column. Event tables fill events; every other table fills columns.
type tableBatch struct {
	n       int
	events  *engine.Batch   // nil for other tables
	pending bool            // events of an open transaction: their places are not known yet
	columns [][]value.Value // by schema ordinal; nil for a column that is not read
	serial  uint64          // tells this batch's rows from those of every other batch of the scan
}

// batchRows is the number of rows of a full tableBatch.
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
	// scan reads the rows within bounds as the execution's snapshot has them; it may give more, never fewer: WHERE is
	// evaluated again. columns lists the ordinals (into schema) that will be read.
	scan(ex *execution, columns []int, b scanBounds) (batches, error)
}
