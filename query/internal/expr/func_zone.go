package expr

import (
	"strconv"
	"time"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
)

// Functions of times in a zone. A wall clock, which AT TIME ZONE gives, is a time like any other:
// the one at which UTC shows the same.

const zoneHint = "zones are named as in the IANA database, such as 'Europe/Berlin', or '+02:00'"

func noZone(name string, pos parser.Pos) error {
	return &fault.Error{Kind: fault.BadArgument, Pos: pos, Hint: zoneHint,
		Msg: "there is no time zone " + strconv.Quote(fault.Short(name))}
}

// A zoneOf returns a zone; nil for NULL, and after an error.
type zoneOf func(*Env) *value.Zone

// zoneArgument returns how to get the zone that an argument names. A literal is looked up now.
func zoneArgument(x *Expr) (zoneOf, error) {
	find := func(e *Env) *value.Zone {
		v := x.Eval(e)
		if v.Kind == value.Null {
			return nil
		}
		z, ok := value.ZoneOf(v.Text())
		if !ok {
			e.Fail(noZone(v.Text(), x.Pos))
			return nil
		}
		return z
	}
	switch {
	case x.fixed:
		e := NewEnv(Env{})
		z := find(e)
		return func(*Env) *value.Zone { return z }, e.Err
	case x.Constant:
		return memoized(find), nil
	}
	return find, nil
}

// compileTimezone is timezone(zone, x), which is x AT TIME ZONE zone: what the clocks of the zone
// show at x.
func compileTimezone(_ *compiler, _ *function, args []*Expr, pos parser.Pos) (*Expr, error) {
	zone, err := zoneArgument(args[0])
	if err != nil {
		return nil, err
	}
	x := args[1]
	if err := checkTimeLiteral(x); err != nil {
		return nil, err
	}
	return timeExpr(pos, func(e *Env) value.Value {
		micros, ok := timeArg(e, x.Eval(e))
		z := zone(e)
		if !ok || z == nil {
			return null
		}
		return value.TimeResult(z.Wall(micros))
	}, args), nil
}

// compileTimestamp is timestamp(x): x as a time, and timestamp(x, zone): the instant at which the
// clocks of the zone show x. A literal that is no time is an error.
func compileTimestamp(_ *compiler, _ *function, args []*Expr, pos parser.Pos) (*Expr, error) {
	x := args[0]
	if err := checkTimeLiteral(x); err != nil {
		return nil, err
	}
	if len(args) == 1 {
		return timeExpr(pos, func(e *Env) value.Value {
			micros, ok := timeArg(e, x.Eval(e))
			if !ok {
				return null
			}
			return value.OfTime(micros)
		}, args), nil
	}
	zone, err := zoneArgument(args[1])
	if err != nil {
		return nil, err
	}
	return timeExpr(pos, func(e *Env) value.Value {
		v, z := x.Eval(e), zone(e)
		if z == nil {
			return null
		}
		micros, ok := instantArg(e, v, z)
		if !ok {
			return null
		}
		return value.TimeResult(micros)
	}, args), nil
}

// instantArg returns the instant at which the clocks of a zone show v. What is an instant already
// stays it: a number of seconds, and a text that says how far it is ahead of UTC.
func instantArg(e *Env, v value.Value, z *value.Zone) (micros int64, ok bool) {
	micros, ok = timeArg(e, v)
	if !ok || v.Kind.IsNumber() || v.Kind == value.String && value.HasOffset(v.S) {
		return micros, ok
	}
	return z.Instant(micros), true
}

// unitArgument returns how to get the unit that an argument names; ok is false for NULL, and after
// an error. A literal is looked up now.
func unitArgument(x *Expr) (func(*Env) (u value.Unit, ok bool), error) {
	find := func(e *Env) (u value.Unit, ok bool) {
		v := x.Eval(e)
		if v.Kind == value.Null {
			return u, false
		}
		if u, ok = value.UnitOf(value.UnitName(v.Text())); !ok {
			e.Fail(unknownUnit(fault.Short(v.Text()), x.Pos))
		}
		return u, ok
	}
	if !x.fixed {
		return find, nil
	}
	e := NewEnv(Env{})
	u, ok := find(e)
	return func(*Env) (value.Unit, bool) { return u, ok }, e.Err
}

// compileDateTrunc is date_trunc(unit, x[, zone]): the beginning of the unit that x lies in, by the
// clocks of the zone. Weeks begin on Monday.
func compileDateTrunc(_ *compiler, _ *function, args []*Expr, pos parser.Pos) (*Expr, error) {
	unit, err := unitArgument(args[0])
	if err != nil {
		return nil, err
	}
	x := args[1]
	if len(args) == 2 {
		return timeExpr(pos, func(e *Env) value.Value {
			u, ok1 := unit(e)
			micros, ok2 := timeArg(e, x.Eval(e))
			if !ok1 || !ok2 {
				return null
			}
			return value.TimeResult(u.Floor(micros))
		}, args), nil
	}
	zone, err := zoneArgument(args[2])
	if err != nil {
		return nil, err
	}
	return timeExpr(pos, func(e *Env) value.Value {
		u, ok1 := unit(e)
		micros, ok2 := timeArg(e, x.Eval(e))
		z := zone(e)
		if !ok1 || !ok2 || z == nil {
			return null
		}
		return value.TimeResult(z.Floor(micros, u.Short(), u.Floor))
	}, args), nil
}

// compileDateDiff is date_diff(unit, a, b[, zone]): how many beginnings of the unit lie between a
// and b, by the clocks of the zone; and datesub: how many whole units. Both are DuckDB's, but that
// its date_diff counts whole weeks.
func compileDateDiff(_ *compiler, f *function, args []*Expr, pos parser.Pos) (*Expr, error) {
	unit, err := unitArgument(args[0])
	if err != nil {
		return nil, err
	}
	for _, x := range args[1:3] {
		if err := checkTimeLiteral(x); err != nil {
			return nil, err
		}
	}
	zone := func(*Env) *value.Zone { return utc }
	if len(args) == 4 {
		if zone, err = zoneArgument(args[3]); err != nil {
			return nil, err
		}
	}
	count := func(u value.Unit, a, b int64) int64 { return u.Number(b) - u.Number(a) }
	if f.name == "datesub" {
		count = value.Unit.Whole
	}
	y := timeExpr(pos, func(e *Env) value.Value {
		u, ok := unit(e)
		a, ok1 := timeArg(e, args[1].Eval(e))
		b, ok2 := timeArg(e, args[2].Eval(e))
		z := zone(e)
		if !ok || !ok1 || !ok2 || z == nil {
			return null
		}
		from := z.Wall(a)
		if u.Short() { // an hour that comes twice is two
			return value.OfInt(count(u, from, from+b-a))
		}
		return value.OfInt(count(u, from, z.Wall(b)))
	}, args)
	y.Type, y.Affinity = value.Integer, value.AffNone
	return y, nil
}

// utc is the zone whose clocks show UTC.
var utc, _ = value.ZoneOf("+00:00")

// A binStart tells from where date_bin counts, and in which zone; ok is false for NULL.
type binStart func(*Env) (origin int64, zone *value.Zone, ok bool)

// binStartOf is what stands behind the first two arguments of date_bin: nothing, an origin, a zone,
// or both. Origins are on the wall.
func binStartOf(args []*Expr) (binStart, error) {
	switch len(args) {
	case 0:
		return func(*Env) (int64, *value.Zone, bool) { return 0, nil, true }, nil
	case 1:
		x := args[0]
		if x.fixed && x.value.Kind == value.String {
			if _, ok := value.AnyTime(time.Time{}, x.value); !ok {
				if _, ok := value.ZoneOf(x.value.S); !ok {
					return nil, noZone(x.value.S, x.Pos)
				}
			}
		}
		return func(e *Env) (int64, *value.Zone, bool) {
			v := x.Eval(e)
			if origin, ok := timeArg(e, v); ok {
				return origin, nil, true
			}
			if v.Kind != value.String {
				return 0, nil, false
			}
			z, ok := value.ZoneOf(v.S)
			if !ok {
				e.Fail(noZone(v.S, x.Pos))
			}
			return 0, z, ok
		}, nil
	}
	zone, err := zoneArgument(args[1])
	return func(e *Env) (int64, *value.Zone, bool) {
		v, z := args[0].Eval(e), zone(e)
		if z == nil {
			return 0, nil, false
		}
		origin, ok := instantArg(e, v, z)
		return z.Wall(origin), z, ok
	}, err
}

// compileDateBin is date_bin(interval, x[, origin][, zone]): the beginning of the interval that x
// lies in, counted from the origin, which is 1970-01-01 unless it is given, by the clocks of the zone.
func compileDateBin(_ *compiler, _ *function, args []*Expr, pos parser.Pos) (*Expr, error) {
	length := intervalOf(args[0])
	if a := args[0]; a.fixed && a.value.Kind != value.Null {
		iv, ok := value.ParseInterval(a.value.Text())
		if !ok {
			return nil, badInterval(a.value, a.Pos)
		}
		if err := checkBin(iv, a.Pos); err != nil {
			return nil, err
		}
	}
	start, err := binStartOf(args[2:])
	if err != nil {
		return nil, err
	}
	return timeExpr(pos, func(e *Env) value.Value {
		iv := length(e)
		micros, ok := timeArg(e, args[1].Eval(e))
		origin, zone, ok2 := start(e)
		if iv == nil || !ok || !ok2 {
			return null
		}
		if err := checkBin(*iv, args[0].Pos); err != nil {
			return e.Fail(err)
		}
		bin := func(t int64) int64 { return value.FloorDiv(t-origin, iv.Micros)*iv.Micros + origin }
		if zone == nil {
			return value.TimeResult(bin(micros))
		}
		return value.TimeResult(zone.Floor(micros, iv.Short(), bin))
	}, args), nil
}

// checkBin refuses an interval that date_bin cannot count in.
func checkBin(iv value.Interval, pos parser.Pos) error {
	if iv.Months == 0 && iv.Micros > 0 {
		return nil
	}
	return &fault.Error{Kind: fault.BadArgument, Pos: pos,
		Msg:  "date_bin takes an interval above zero, without months",
		Hint: "months begin with date_trunc('month', x)"}
}
