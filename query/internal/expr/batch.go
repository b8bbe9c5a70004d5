package expr

import (
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A Batch is up to 1,024 rows by column. Event tables fill events; every other table fills columns.
type Batch struct {
	Len     int
	Events  *engine.Batch   // nil for other tables
	Pending bool            // events of an open transaction: their places are not known yet
	Columns [][]value.Value // by schema ordinal; nil for a column that is not read
	Weights []int64         // of how many equal events each row tells; nil for one each
	Serial  uint64          // tells this batch's rows from those of every other batch of the scan
}
