package query

import "github.com/eventfold/eventfold/query/internal/value"

// A Type is the static type of a result column, known before the first row. Its method SQL is the
// type's name in SQL.
type Type = value.Type

// The types of columns.
const (
	Any       = value.Any       // NULL, or a value whose type differs from row to row
	Integer   = value.Integer   // int64
	Real      = value.Real      // float64
	Text      = value.Text      // string
	Blob      = value.Blob      // []byte
	JSON      = value.JSON      // []byte (or string, see Settings.JSONText)
	Timestamp = value.Timestamp // time.Time, UTC
	EventType = value.EventType // *engine.Event, the pseudo-column event
)
