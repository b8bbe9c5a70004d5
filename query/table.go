package query

import (
	"context"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A Table is what the executor reads. It knows nothing of SQL text.
type Table interface {
	Schema() []TableColumn
	// Scan reads the rows within bounds; it may return more, never fewer: WHERE is evaluated again.
	// columns lists the ordinals (into Schema) that will be read.
	Scan(ctx context.Context, columns []int, b Bounds) (BatchSource, error)
}

// A TableColumn is one column of a Table.
type TableColumn struct {
	Column
	affinity value.Affinity
	collate  value.Collation
	hidden   bool // not part of *
	tags     bool // the tags of events
}

// Bounds are the AND-ed conditions of WHERE that a table may use to read less.
type Bounds struct {
	engine.Filter
	Fleeting bool // the reader keeps nothing of a batch when it asks for the next, except types
}

// A BatchSource yields batches until nil.
type BatchSource interface {
	Next() (*tableBatch, error)
	Close() error
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
