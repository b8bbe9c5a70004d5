package query

import (
	"container/heap"

	"github.com/eventfold/eventfold/query/internal/value"
)

// A plainQueue gives rows in the order in which they came.
type plainQueue struct {
	rows [][]value.Value
	at   int
}

func (q *plainQueue) put(row []value.Value) { q.rows = append(q.rows, row) }

func (q *plainQueue) len() int { return len(q.rows) - q.at }

func (q *plainQueue) take() []value.Value {
	if q.at == len(q.rows) {
		return nil
	}
	row := q.rows[q.at]
	q.rows[q.at] = nil
	if q.at++; q.at == len(q.rows) {
		q.rows, q.at = q.rows[:0], 0
	}
	return row
}

// An orderedQueue gives the first row by ORDER BY, of equal ones the one that came first.
type orderedQueue struct {
	keys   []sortKey
	rows   []queuedRow
	serial int
}

type queuedRow struct {
	values []value.Value
	serial int
}

func (q *orderedQueue) put(row []value.Value) {
	q.serial++
	heap.Push(q, queuedRow{row, q.serial})
}

func (q *orderedQueue) len() int { return len(q.rows) }

func (q *orderedQueue) take() []value.Value {
	if len(q.rows) == 0 {
		return nil
	}
	return heap.Pop(q).(queuedRow).values
}

// Len implements heap.Interface, as do the methods that follow.
func (q *orderedQueue) Len() int { return len(q.rows) }

// Less puts the row that comes first first.
func (q *orderedQueue) Less(i, j int) bool {
	a, b := &q.rows[i], &q.rows[j]
	for k := range q.keys {
		at := q.keys[k].result
		if c := q.keys[k].compare(a.values[at], b.values[at]); c != 0 {
			return c < 0
		}
	}
	return a.serial < b.serial
}

// Swap implements heap.Interface.
func (q *orderedQueue) Swap(i, j int) { q.rows[i], q.rows[j] = q.rows[j], q.rows[i] }

// Push implements heap.Interface.
func (q *orderedQueue) Push(x any) { q.rows = append(q.rows, x.(queuedRow)) }

// Pop implements heap.Interface.
func (q *orderedQueue) Pop() any {
	last := len(q.rows) - 1
	row := q.rows[last]
	q.rows[last] = queuedRow{}
	q.rows = q.rows[:last]
	return row
}
