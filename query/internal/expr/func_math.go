package expr

import (
	"math"

	"github.com/eventfold/eventfold/query/internal/value"
)

var mathFunctions = []function{
	{name: "abs", min: 1, max: 1, f1: absFunc},
	{name: "sign", min: 1, max: 1, typ: value.Integer, nulls: nullMaybe, f1: signFunc},
	{name: "round", min: 1, max: 2, typ: value.Real, fn: roundFunc},
	wholeFunc("ceil", math.Ceil),
	wholeFunc("floor", math.Floor),
	wholeFunc("trunc", math.Trunc),
	{name: "log", min: 1, max: 2, typ: value.Real, nulls: nullMaybe, fn: logFunc},
	{name: "pi", typ: value.Real, nulls: nullNever,
		f0: func(*Env) value.Value { return value.OfReal(math.Pi) }},
	realFunc("sqrt", math.Sqrt),
	realFunc("exp", math.Exp),
	realFunc("ln", positive(value.NaturalLog)),
	realFunc("log10", positive(value.Log10)),
	realFunc("log2", positive(math.Log2)),
	realFunc("sin", math.Sin), realFunc("cos", math.Cos), realFunc("tan", math.Tan),
	realFunc("asin", math.Asin), realFunc("acos", math.Acos), realFunc("atan", math.Atan),
	realFunc("sinh", math.Sinh), realFunc("cosh", math.Cosh), realFunc("tanh", math.Tanh),
	realFunc("asinh", math.Asinh), realFunc("acosh", math.Acosh), realFunc("atanh", math.Atanh),
	realFunc("degrees", func(f float64) float64 { return f * (180 / math.Pi) }),
	realFunc("radians", func(f float64) float64 { return f * (math.Pi / 180) }),
	realFunc2("pow", value.Power), realFunc2("mod", math.Mod), realFunc2("atan2", value.Angle),
}

// numericArg returns v as a number if it is one: a text must be a number from end to end.
func numericArg(v value.Value) (value.Value, bool) {
	v = value.AsNumber(v)
	return v, v.Kind == value.Int || v.Kind == value.Float
}

// realFunc is a function of one number that gives a real, NULL for what is no number and outside of
// its domain.
func realFunc(name string, f func(float64) float64) function {
	return function{name: name, min: 1, max: 1, typ: value.Real, nulls: nullMaybe,
		f1: func(_ *Env, v value.Value) value.Value {
			n, ok := numericArg(v)
			if !ok {
				return null
			}
			return value.OfReal(f(n.Real()))
		}}
}

func realFunc2(name string, f func(a, b float64) float64) function {
	return function{name: name, min: 2, max: 2, typ: value.Real, nulls: nullMaybe,
		f2: func(_ *Env, v, w value.Value) value.Value {
			a, ok := numericArg(v)
			b, ok2 := numericArg(w)
			if !ok || !ok2 {
				return null
			}
			return value.OfReal(f(a.Real(), b.Real()))
		}}
}

// positive is f for numbers above zero and no number for others.
func positive(f func(float64) float64) func(float64) float64 {
	return func(x float64) float64 {
		if x <= 0 {
			return math.NaN()
		}
		return f(x)
	}
}

// Numbers below smallestNormal have fewer digits the smaller they are. What the math package makes
// of them depends on the machine: its logarithm in assembly for amd64 takes all of them for about
// smallestNormal, and its power is made of that. The functions below scale such numbers first, by a
// power of two.

// wholeFunc rounds reals to whole reals and leaves integers alone.
func wholeFunc(name string, f func(float64) float64) function {
	return function{name: name, min: 1, max: 1, nulls: nullMaybe,
		f1: func(_ *Env, v value.Value) value.Value {
			n, ok := numericArg(v)
			switch {
			case !ok:
				return null
			case n.Kind == value.Int:
				return n
			}
			return value.OfReal(f(n.F))
		}}
}

func absFunc(e *Env, v value.Value) value.Value {
	if v.Kind != value.Int {
		f := value.ToReal(v)
		if f < 0 {
			f = -f
		}
		return value.OfReal(f) // which leaves -0.0 as it is, as SQLite does
	}
	if v.N == math.MinInt64 {
		return funcError(e, "integer overflow")
	}
	return value.OfInt(max(v.N, -v.N))
}

func signFunc(_ *Env, v value.Value) value.Value {
	n, ok := numericArg(v)
	if !ok {
		return null
	}
	return value.OfInt(int64(value.CompareFloats(n.Real(), 0)))
}

// logFunc is log(x) to base 10 and log(base, x).
func logFunc(_ *Env, args []value.Value) value.Value {
	first, ok := numericArg(args[0])
	if !ok || first.Real() <= 0 {
		return null
	}
	if len(args) == 1 {
		return value.OfReal(value.Log10(first.Real()))
	}
	base, x := value.NaturalLog(first.Real()), value.ToReal(args[1])
	if base <= 0 || x <= 0 {
		return null
	}
	return value.OfReal(value.NaturalLog(x) / base)
}

// roundFunc rounds halves away from zero, to at most 30 digits after the point.
func roundFunc(_ *Env, args []value.Value) value.Value {
	f, n := value.ToReal(args[0]), int64(0)
	if len(args) > 1 {
		n = max(0, min(30, value.ToInt(args[1])))
	}
	switch {
	case math.Abs(f) > 4503599627370496: // has no digits after the point
		return value.OfReal(f)
	case n == 0:
		return value.OfReal(float64(int64(f + math.Copysign(0.5, f)))) // which makes 0.0 of -0.0, as SQLite does
	}
	return value.OfReal(value.RoundTo(f, int(n)))
}
