package transcript

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A Column is one of what a statement gives.
type Column struct {
	Name     string
	Type     string
	Nullable bool
}

// Rows are what a statement gives.
type Rows interface {
	// Next fills a row, and returns io.EOF behind the last one.
	Next(row []driver.Value) error
	Close() error
}

// RowsText writes columns as "name TYPE", with a ? for those that may be NULL, and a line per row. With
// an error it returns the rows before it. It closes the rows.
func RowsText(columns []Column, rows Rows) (string, error) {
	var b strings.Builder
	for i, c := range columns {
		if i > 0 {
			b.WriteString(" | ")
		}
		b.WriteString(c.Name + " " + c.Type)
		if c.Nullable {
			b.WriteString("?")
		}
	}
	b.WriteString("\n")
	row := make([]driver.Value, len(columns))
	for {
		err := rows.Next(row)
		if err == io.EOF {
			return b.String(), rows.Close()
		}
		if err != nil {
			_ = rows.Close()
			return b.String(), err
		}
		for i, v := range row {
			if i > 0 {
				b.WriteString(" | ")
			}
			b.WriteString(valueText(v))
		}
		b.WriteString("\n")
	}
}

func valueText(v driver.Value) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case string:
		return fmt.Sprintf("%q", v)
	case []byte:
		if json.Valid(v) {
			return string(v)
		}
		return fmt.Sprintf("x'%x'", v)
	case float64:
		return value.FormatReal(v)
	case time.Time:
		return v.Format(time.RFC3339Nano)
	case *engine.Event:
		return fmt.Sprintf("%d:%s/%d %s %s %s %s %v", v.Position, v.Stream, v.Version, v.Type, v.Payload, v.Metadata,
			v.Tags, v.RecordedAt.Format(time.RFC3339Nano))
	}
	return fmt.Sprint(v)
}

// An Outcome is what a statement without rows has done.
type Outcome struct {
	Rows      int64
	Last      engine.Position // NoPosition for none
	Pending   bool            // until COMMIT
	Duplicate bool
}

// Text is the line for an outcome.
func (o Outcome) Text() string {
	s := fmt.Sprintf("ok, %d rows", o.Rows)
	if o.Last != engine.NoPosition {
		s += fmt.Sprintf(", last position %d", o.Last)
	}
	if o.Pending {
		s += ", pending"
	}
	if o.Duplicate {
		s += ", duplicate"
	}
	return s + "\n"
}

// ErrorText is the line for an error of a place in the statement, or of none if line is 0.
func ErrorText(err error, line, column int) string {
	if line == 0 {
		return "error: " + err.Error() + "\n"
	}
	return fmt.Sprintf("error %d:%d: %s\n", line, column, err)
}
