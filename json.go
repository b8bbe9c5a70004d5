package eventfold

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/eventfold/eventfold/query"
)

var (
	_ driver.Valuer = JSONValue{}
	_ sql.Scanner   = JSONValue{}
	_ driver.Valuer = Tags{}
	_ sql.Scanner   = (*Tags)(nil)
)

// JSON lets any value be an argument for payload, metadata or tags, where it is marshalled with
// encoding/json, and with a pointer to it be read from a column that is JSON.
//
//	db.Exec(`INSERT INTO "order-7" (type, payload) VALUES (?, ?)`, "OrderPlaced", eventfold.JSON(order))
//	db.QueryRow(`SELECT payload FROM "order-7" LIMIT 1`).Scan(eventfold.JSON(&order))
func JSON(v any) JSONValue { return JSONValue{v} }

// A JSONValue is what JSON makes of a value.
type JSONValue struct{ v any }

// Value implements driver.Valuer.
func (j JSONValue) Value() (driver.Value, error) {
	text, err := json.Marshal(j.v)
	if err != nil {
		return nil, fmt.Errorf("eventfold: argument: %w", err)
	}
	return text, nil
}

// Scan implements sql.Scanner. What the pointer points to becomes zero before it is filled, so that
// nothing of an earlier row stays in it, and remains zero for NULL.
func (j JSONValue) Scan(src any) error {
	dest := reflect.ValueOf(j.v)
	if dest.Kind() != reflect.Pointer || dest.IsNil() {
		return fault(ErrArgument, "scan", "a %T cannot be filled; write Scan(eventfold.JSON(&v))",
			j.v)
	}
	dest.Elem().SetZero()
	return scanJSON(src, j.v)
}

// scanJSON fills what dest points to with a value of a column. NULL leaves it as it is.
func scanJSON(src, dest any) error {
	var text []byte
	switch src := src.(type) {
	case nil:
		return nil
	case []byte:
		text = src
	case string:
		text = []byte(src)
	default: // a number, a truth or a time, which ->> gives
		var err error
		if text, err = json.Marshal(src); err != nil {
			return fault(ErrValue, "scan", "a %T is not JSON", src)
		}
	}
	if err := json.Unmarshal(text, dest); err != nil {
		return fault(ErrValue, "scan",
			"the value is not JSON for a %T (-> gives JSON, ->> gives a plain text): %w", dest, err)
	}
	return nil
}

// Tags are the tags of an event as an argument and as a place to scan them into. As an argument nil
// is NULL, which is no tags.
//
//	db.Exec(`INSERT INTO "order-7" (type, tags) VALUES (?, ?)`, "OrderPlaced", eventfold.Tags{"customer:9"})
//	var tags eventfold.Tags
//	db.QueryRow(`SELECT tags FROM "order-7" LIMIT 1`).Scan(&tags)
type Tags []string

// Value implements driver.Valuer.
func (t Tags) Value() (driver.Value, error) {
	if t == nil {
		return nil, nil
	}
	values := make(query.List, len(t))
	for i, tag := range t {
		values[i] = tag
	}
	return values.JSON()
}

// Scan implements sql.Scanner.
func (t *Tags) Scan(src any) error {
	*t = nil
	return scanJSON(src, (*[]string)(t))
}
