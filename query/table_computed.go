package query

import (
	"context"

	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A computedTable is a table whose rows are made when it is read.
type computedTable struct {
	label   string
	columns []tableColumn
	// rows starts making rows.
	rows func(ctx context.Context, ex *execution, b scanBounds) rowMaker
}

// A rowMaker makes one row after the other, nil at the end.
type rowMaker interface {
	next() ([]value.Value, error)
	close() error
}

func (t *computedTable) name() string          { return t.label }
func (t *computedTable) schema() []tableColumn { return t.columns }

func (t *computedTable) scan(ex *execution, _ []int, b scanBounds) (batches, error) {
	return &madeBatches{width: len(t.columns), rows: t.rows(ex.ctx, ex, b)}, nil
}

// madeBatches puts the rows of a rowMaker into batches.
type madeBatches struct {
	width int
	rows  rowMaker
	batch expr.Batch
}

func (m *madeBatches) next() (*expr.Batch, error) {
	columns := make([][]value.Value, m.width)
	n := 0
	for ; n < batchRows; n++ {
		row, err := m.rows.next()
		if err != nil {
			return nil, err
		}
		if row == nil {
			break
		}
		for i := range columns {
			columns[i] = append(columns[i], row[i])
		}
	}
	if n == 0 {
		return nil, nil
	}
	m.batch = expr.Batch{Len: n, Columns: columns, Serial: m.batch.Serial + 1}
	return &m.batch, nil
}

func (m *madeBatches) close() error { return m.rows.close() }

// A rowList is a rowMaker of rows that are there already.
type rowList struct {
	rows [][]value.Value
	err  error
}

func (l *rowList) next() ([]value.Value, error) {
	if l.err != nil || len(l.rows) == 0 {
		return nil, l.err
	}
	row := l.rows[0]
	l.rows = l.rows[1:]
	return row, nil
}

func (l *rowList) close() error { return nil }

// systemTables are the tables whose names begin with $, besides $all. A new one is one more entry.
var systemTables = []*computedTable{
	{label: "$streams", columns: streamColumns, rows: streamRows},
	{label: "$types", columns: typeColumns, rows: typeRows},
	{label: "$stats", columns: statColumns, rows: statRows},
	{label: "$erasures", columns: erasureColumns, rows: erasureRows},
	{label: "$views", columns: viewTableColumns, rows: viewTableRows},
	{label: "$followers", columns: followerColumns, rows: followerRows},
	{label: "$functions", columns: functionColumns, rows: functionRows},
}

// systemTable returns the table of that name, nil if there is none. It is pending if it tells of an
// open transaction, too.
func systemTable(name string, pending bool) table {
	if pending && name == pendingStreams.label {
		return pendingStreams
	}
	for _, t := range systemTables {
		if t.label == name {
			return t
		}
	}
	return nil
}
