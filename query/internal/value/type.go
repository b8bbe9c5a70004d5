package value

// A Type is the static type of a result column, known before the first row.
type Type uint8

// The types of columns.
const (
	Any       Type = iota // NULL, or a value whose type differs from row to row
	Integer               // int64
	Real                  // float64
	Text                  // string
	Blob                  // []byte
	JSON                  // []byte (or string, see Settings.JSONText)
	Timestamp             // time.Time, UTC
	EventType             // *engine.Event, the pseudo-column event
)

// SQL returns the type's name in SQL, as information_schema, DESCRIBE and the driver's column types
// give it.
func (t Type) SQL() string {
	return [...]string{Any: "ANY", Integer: "BIGINT", Real: "DOUBLE", Text: "TEXT", Blob: "BLOB",
		JSON: "JSON", Timestamp: "TIMESTAMP", EventType: "EVENT"}[t]
}

// IsNumber reports whether all values of the type are numbers, or NULL.
func (t Type) IsNumber() bool { return t == Integer || t == Real }
