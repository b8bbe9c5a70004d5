package query

import (
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/jsonpath"
	"github.com/eventfold/eventfold/query/internal/value"
)

// The aggregates that put a text together. They depend on the order of all rows, and are not
// computed in parts.
var textAggregates = map[string]*aggregate{
	"group_concat": {min: 1, max: 2, typ: typeOf(Text, true), room: roomConcat, grows: true,
		step: stepConcat, final: finalConcat},
	"string_agg": {min: 2, max: 2, typ: typeOf(Text, true), room: roomConcat, grows: true,
		step: stepConcat, final: finalConcat},
	"json_group_array": {min: 1, max: 1, nulls: true, typ: typeOf(JSON, false), room: roomElement,
		step: stepElement, final: finalArray},
	"json_group_object": {min: 2, max: 2, typ: typeOf(JSON, false), room: roomMember,
		step: stepMember, final: finalObject},
}

// roomConcat is for a text and the separator.
func roomConcat(v []value.Value) int {
	n := len(v[0].S) + shortText
	if len(v) > 1 {
		n += len(v[1].S)
	}
	return n
}

// stepConcat appends a text behind the separator, which is a comma unless it is given.
func stepConcat(s *aggState, _ *aggregateCall, v []value.Value) error {
	if s.n++; s.n > 1 {
		if len(v) < 2 {
			s.text = append(s.text, ',')
		} else {
			s.text = value.AppendText(s.text, v[1])
		}
	}
	s.text = value.AppendText(s.text, v[0])
	return nil
}

func finalConcat(s *aggState, _ *aggregateCall, _ *expr.Env) (value.Value, error) {
	if s.n == 0 {
		return null, nil
	}
	return value.OfText(value.StringOf(s.text)), nil
}

// roomJSON is for a value as JSON, with a mark before and one behind it.
func roomJSON(v value.Value) int {
	if v.Kind == value.String && !v.JSON {
		return jsonpath.QuotedSize(v.S) + 2
	}
	return len(v.S) + shortText
}

func roomElement(v []value.Value) int { return roomJSON(v[0]) }

func roomMember(v []value.Value) int {
	return jsonpath.QuotedSize(v[0].S) + shortText + roomJSON(v[1])
}

// stepElement appends a value to an array.
func stepElement(s *aggState, c *aggregateCall, v []value.Value) error {
	s.text = append(s.text, "[,"[min(s.n, 1)])
	s.n++
	return s.appendJSON(c, v[0])
}

// stepMember appends a key and a value to an object. Any value is a key as its text.
func stepMember(s *aggState, c *aggregateCall, v []value.Value) error {
	s.text = append(s.text, "{,"[min(s.n, 1)])
	s.n++
	s.text = append(jsonpath.AppendQuoted(s.text, v[0].Text()), ':')
	return s.appendJSON(c, v[1])
}

func (s *aggState) appendJSON(c *aggregateCall, v value.Value) (err error) {
	var ok bool
	if s.text, ok = jsonpath.AppendValue(s.text, v); !ok {
		return errorf(BadValue, c.pos, "JSON cannot hold a blob")
	}
	return nil
}

func finalArray(s *aggState, _ *aggregateCall, _ *expr.Env) (value.Value, error) {
	if s.n == 0 {
		return value.OfJSON("[]"), nil
	}
	return value.OfJSON(value.StringOf(append(s.text, ']'))), nil
}

func finalObject(s *aggState, _ *aggregateCall, _ *expr.Env) (value.Value, error) {
	if s.n == 0 {
		return value.OfJSON("{}"), nil
	}
	return value.OfJSON(value.StringOf(append(s.text, '}'))), nil
}
