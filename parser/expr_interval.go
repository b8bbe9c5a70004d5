package parser

import "strings"

// units are the units of INTERVAL, by how they may be written.
var units = map[string]string{
	"MICROSECOND": "microsecond", "MILLISECOND": "millisecond", "SECOND": "second",
	"MINUTE": "minute", "HOUR": "hour", "DAY": "day", "WEEK": "week", "MONTH": "month",
	"QUARTER": "quarter", "YEAR": "year",
}

// unitOf returns the unit that a token names, or "".
func (t *token) unitOf() string {
	if t.kind != tokWord {
		return ""
	}
	return units[strings.TrimSuffix(strings.ToUpper(t.text), "S")]
}

// intervalAhead tells whether the word INTERVAL at the cursor begins INTERVAL value unit; it may be
// a name, too. The value is a constant, a parameter, a name, a call, or anything in parentheses,
// perhaps with a sign. A text or a parameter may have its units inside.
func (p *parser) intervalAhead() bool {
	i := p.at + 1
	if p.wholeInterval(i) {
		return true
	}
	if p.toks[i].is("+", "-") {
		i++
	}
	switch t := &p.toks[i]; {
	case t.literal():
		i++
	case t.is("("):
		i = t.mate + 1
	case t.naming():
		for i++; p.toks[i].is(".") && p.toks[i+1].kind != tokEnd; i += 2 {
		}
		if p.toks[i].is("(") {
			i = p.toks[i].mate + 1
		}
	default:
		return false
	}
	return p.toks[i].unitOf() != ""
}

// wholeInterval tells whether the token behind INTERVAL is a text or a parameter without a unit
// behind it, as in INTERVAL '1 day'.
func (p *parser) wholeInterval(i int) bool {
	t := &p.toks[i]
	return (t.kind == tokString || t.kind == tokParam) && p.toks[i+1].unitOf() == ""
}

// interval reads INTERVAL value unit, or INTERVAL 'text'.
func (p *parser) interval() Expr {
	v := &Interval{Pos: p.next().off}
	if p.wholeInterval(p.at) {
		v.X = p.constant()
		return v
	}
	v.X = p.expr()
	if v.Unit = p.tok().unitOf(); v.Unit == "" {
		p.unexpected(p.at)
		return nil
	}
	p.next()
	return v
}
