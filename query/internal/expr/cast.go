package expr

import (
	"strings"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/jsonpath"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A caster is what CAST to one family of types does.
type caster struct {
	typ      value.Type
	affinity value.Affinity
	maybe    bool                                                    // it reads times, and gives NULL for what is none
	convert  func(e *Env, v value.Value, pos parser.Pos) value.Value // v is never NULL
}

var (
	castInteger = caster{value.Integer, value.AffInteger, false,
		func(_ *Env, v value.Value, _ parser.Pos) value.Value { return value.OfInt(value.ToInt(v)) }}
	castText = caster{value.Text, value.AffText, false,
		func(_ *Env, v value.Value, _ parser.Pos) value.Value { return value.OfText(v.Text()) }}
	castBlob = caster{value.Blob, value.AffBlob, false,
		func(_ *Env, v value.Value, _ parser.Pos) value.Value { return value.OfBlob(v.Text()) }}
	castReal = caster{value.Real, value.AffReal, false,
		func(_ *Env, v value.Value, _ parser.Pos) value.Value { return value.OfReal(value.ToReal(v)) }}
	castNumeric = caster{value.Any, value.AffNumeric, false,
		func(_ *Env, v value.Value, _ parser.Pos) value.Value { return value.ToNumeric(v) }}
	castDate      = caster{value.Text, value.AffText, true, toMoment((*value.Moment).Date)}
	castClock     = caster{value.Text, value.AffText, true, toMoment((*value.Moment).Clock)}
	castDateTime  = caster{value.Text, value.AffText, true, toMoment((*value.Moment).DateAndClock)}
	castInterval  = caster{value.Text, value.AffText, false, toInterval}
	castTimestamp = caster{value.Timestamp, value.AffTime, true, toTimestamp}
	castJSON      = caster{value.JSON, value.AffNone, false, toJSON}
)

// casts says how the name of a type is understood: by the first of these words that it contains.
// The order and the words are SQLite's rules of column affinity, after those of our own.
var casts = []struct {
	word string
	to   *caster
}{
	{"TIMESTAMP", &castTimestamp},
	{"DATETIME", &castDateTime},
	{"DATE", &castDate},
	{"TIME", &castClock},
	{"INTERVAL", &castInterval},
	{"JSON", &castJSON},
	{"STRING", &castText},
	{"UUID", &castText},
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
func (c *compiler) cast(e *parser.Cast) (*Expr, error) {
	x, err := c.expr(e.X)
	if err != nil {
		return nil, err
	}
	if err := checkCast(e.Type, e.Pos); err != nil {
		return nil, err
	}
	to := casterOf(e.Type)
	if to == &castTimestamp {
		if err := checkTimeLiteral(x); err != nil {
			return nil, err
		}
	}
	number := to == &castInteger || to == &castReal || to == &castNumeric
	if number && x.IsTime() {
		return nil, ErrTimeAsNumber(x.Pos)
	}
	eval := func(e *Env) value.Value {
		v := x.Eval(e)
		switch {
		case v.Kind == value.Null:
			return v
		case v.Kind == value.Time && number:
			return e.Fail(ErrTimeAsNumber(x.Pos))
		}
		if !e.Effort(len(v.S)) {
			return null
		}
		return to.convert(e, v, x.Pos)
	}
	y := &Expr{Eval: eval, Type: to.typ, Nullable: x.Nullable || to.maybe,
		Affinity: to.affinity, Collate: x.Collate, Pos: e.Pos, Clock: to.maybe && isNow(x)}
	return finish(y, x), nil
}

// toMoment is CAST(v AS DATE) and its like: the text that date() and its like give. What is no time
// gives NULL.
func toMoment(of func(*value.Moment) value.Value) func(*Env, value.Value, parser.Pos) value.Value {
	f := momentFunc(of)
	return func(e *Env, v value.Value, _ parser.Pos) value.Value { return f(e, []value.Value{v}) }
}

// toInterval is CAST(v AS INTERVAL).
func toInterval(e *Env, v value.Value, pos parser.Pos) value.Value {
	iv, ok := value.ParseInterval(v.Text())
	if !ok {
		return e.Fail(badInterval(v, pos))
	}
	return value.OfText(iv.String())
}

// toTimestamp is CAST(v AS TIMESTAMP): texts are parsed, numbers are seconds since 1970. What is no
// time gives NULL.
func toTimestamp(_ *Env, v value.Value, _ parser.Pos) value.Value {
	if micros, ok := value.ToTime(v); ok {
		return value.OfTime(micros)
	}
	return null
}

// toJSON is CAST(v AS JSON): texts must be JSON or JSON5, numbers are.
func toJSON(e *Env, v value.Value, pos parser.Pos) value.Value {
	switch {
	case v.JSON:
		return v
	case v.Kind == value.Time:
		return value.OfJSON(jsonpath.Quote(v.Text()))
	case v.Kind == value.Int || v.Kind == value.Float:
		return value.OfJSON(jsonpath.Number(v))
	}
	doc, ok := document(e, v, pos)
	if !ok {
		return e.Fail(malformedJSON(pos)) // of a blob: a text has failed with it
	}
	return value.OfJSON(doc)
}
