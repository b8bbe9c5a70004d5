package query

import (
	"strings"

	"github.com/eventfold/eventfold/parser"
)

// keepsOne are the aggregates whose states hold a value and can be kept all the same: joining two
// takes the value of one of them.
var keepsOne = map[string]bool{"min": true, "max": true, "first": true, "last": true}

// keepable reports whether the states of an aggregate can be kept and joined with later ones, and
// take no more room however many rows there are.
func (c *aggregateCall) keepable() bool {
	d := c.def
	plain := d.hold == nil && d.room == nil && !d.grows && d == aggregates[c.name]
	return !c.distinct && d.merge != nil && plain && (!d.holds || keepsOne[c.name])
}

// mayBeNow is why a date of a text depends on the time, which nobody sees who reads date(x).
const mayBeNow = "a text may be 'now': of one that is a time, write date(timestamp(x))"

// notKeepable tells why the groups of a SELECT cannot be kept, nil if they can. unsteady tells that
// it depends on more than the log.
func notKeepable(sel *parser.Select, p *selectPlan, unsteady bool) error {
	core := p.cores[0]
	scan, _ := core.from.(*tableScan)
	what, hint := "", ""
	switch {
	case len(p.cores) > 1:
		what, hint = "has no UNION", "make a view of each SELECT, and a plain view of their union"
	case core.group == nil:
		what, hint = "has GROUP BY or an aggregate: its groups are what is kept", "make it a plain view"
	case scan == nil || scan.events() == nil:
		what, hint = "reads one stream or $all", "make a plain view that joins materialized ones"
	case core.windows != nil:
		what, hint = "has no window functions", "make a plain view of the materialized one"
	case core.group.sets != nil:
		what, hint = "groups by one list", "make a view of each list, and a plain view of their union"
	case core.nested:
		what, hint = "has no sub-queries", "make a plain view that joins materialized ones"
	case unsteady:
		what = "depends on the log alone, not on the time, on keys or on functions of a program"
		hint = "ask for that where the view is used; " + mayBeNow
	}
	if what == "" {
		return notKept(core.group)
	}
	e := errorf(BadStatement, sel.Pos, "a materialized view %s", what)
	e.Hint = hint
	return e
}

// notKept tells which aggregate cannot be kept.
func notKept(p *groupPlan) error {
	for _, a := range p.aggs {
		if !a.keepable() {
			name := strings.ToUpper(a.name)
			if a.distinct {
				name += "(DISTINCT ...)"
			}
			e := errorf(BadStatement, a.pos, "a materialized view cannot keep %s, which holds values of its rows", name)
			e.Hint = "group by the value as well, and aggregate where the view is used"
			return e
		}
	}
	return nil
}
