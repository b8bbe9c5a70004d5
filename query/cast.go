package query

import (
	"strings"

	"github.com/eventfold/eventfold/parser"
)

// A caster is what CAST to one family of types does.
type caster struct {
	typ      Type
	affinity affinity
	convert  func(e *env, v Value, pos parser.Pos) Value // v is never NULL
}

var (
	castInteger   = caster{Integer, affInteger, func(_ *env, v Value, _ parser.Pos) Value { return intValue(toInt(v)) }}
	castText      = caster{Text, affText, func(_ *env, v Value, _ parser.Pos) Value { return textValue(v.text()) }}
	castBlob      = caster{Blob, affBlob, func(_ *env, v Value, _ parser.Pos) Value { return blobValue(v.text()) }}
	castReal      = caster{Real, affReal, func(_ *env, v Value, _ parser.Pos) Value { return realValue(toReal(v)) }}
	castNumeric   = caster{Any, affNumeric, func(_ *env, v Value, _ parser.Pos) Value { return toNumeric(v) }}
	castTimestamp = caster{Timestamp, affTime, toTimestamp}
	castJSON      = caster{JSON, affNone, toJSON}
)

// casts says how the name of a type is understood: by the first of these words that it contains. The order and the words
// are SQLite's rules of column affinity, after two of our own.
var casts = []struct {
	word string
	to   *caster
}{
	{"TIMESTAMP", &castTimestamp},
	{"JSON", &castJSON},
	{"INT", &castInteger},
	{"CHAR", &castText},
	{"CLOB", &castText},
	{"TEXT", &castText},
	{"BLOB", &castBlob},
	{"REAL", &castReal},
	{"FLOA", &castReal},
	{"DOUB", &castReal},
}

// casterOf returns how to cast to a type; a name without a known word is NUMERIC.
func casterOf(typeName string) *caster {
	name := strings.ToUpper(typeName)
	for _, c := range casts {
		if strings.Contains(name, c.word) {
			return c.to
		}
	}
	return &castNumeric
}

// cast compiles CAST(x AS type).
func (c *compiler) cast(e *parser.Cast) (*expr, error) {
	x, err := c.expr(e.X)
	if err != nil {
		return nil, err
	}
	to := casterOf(e.Type)
	if to == &castTimestamp {
		if err := checkTimeLiteral(x); err != nil {
			return nil, err
		}
	}
	number := to == &castInteger || to == &castReal || to == &castNumeric
	if number && x.isTime() {
		return nil, timeAsNumber(x.pos)
	}
	eval := func(e *env) Value {
		v := x.eval(e)
		switch {
		case v.kind == Null:
			return v
		case v.kind == Time && number:
			return e.fail(timeAsNumber(x.pos))
		}
		if !e.effort(len(v.s)) {
			return null
		}
		return to.convert(e, v, x.pos)
	}
	y := &expr{eval: eval, typ: to.typ, nullable: x.nullable || to == &castTimestamp, affinity: to.affinity, collate: x.collate, pos: e.Pos}
	return finish(y, x), nil
}

// toNumeric is CAST(v AS NUMERIC): numbers stay as they are, texts become integers if nothing is lost.
func toNumeric(v Value) Value {
	if v.kind == Int || v.kind == Float {
		return v
	}
	n := toNumber(v)
	if n.kind == Float {
		if i, ok := isInt(n.f); ok && i >= -1<<51 && i < 1<<51 {
			return intValue(i)
		}
	}
	return n
}

// toTimestamp is CAST(v AS TIMESTAMP): texts are parsed, numbers are seconds since 1970. What is no time gives NULL.
func toTimestamp(_ *env, v Value, _ parser.Pos) Value {
	if micros, ok := toTime(v); ok {
		return timeValue(micros)
	}
	return null
}

// toJSON is CAST(v AS JSON): texts must be JSON or JSON5, numbers are.
func toJSON(e *env, v Value, pos parser.Pos) Value {
	switch {
	case v.json:
		return v
	case v.kind == Time:
		return jsonValue(quoteJSON(v.text()))
	case v.kind == Int || v.kind == Float:
		return jsonValue(jsonNumber(v))
	}
	doc, ok := document(e, v, pos)
	if !ok {
		return e.fail(malformedJSON(pos)) // of a blob: a text has failed with it
	}
	return jsonValue(doc)
}
