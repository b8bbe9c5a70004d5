package query

import "math"

var mathFunctions = []function{
	{name: "abs", min: 1, max: 1, f1: absFunc},
	{name: "sign", min: 1, max: 1, typ: Integer, nulls: nullMaybe, f1: signFunc},
	{name: "round", min: 1, max: 2, typ: Real, fn: roundFunc},
	wholeFunc("ceil", math.Ceil),
	wholeFunc("floor", math.Floor),
	wholeFunc("trunc", math.Trunc),
	{name: "log", min: 1, max: 2, typ: Real, nulls: nullMaybe, fn: logFunc},
	{name: "pi", typ: Real, nulls: nullNever, f0: func(*env) Value { return realValue(math.Pi) }},
	realFunc("sqrt", math.Sqrt),
	realFunc("exp", math.Exp),
	realFunc("ln", positive(naturalLog)),
	realFunc("log10", positive(log10)),
	realFunc("log2", positive(math.Log2)),
	realFunc("sin", math.Sin), realFunc("cos", math.Cos), realFunc("tan", math.Tan),
	realFunc("asin", math.Asin), realFunc("acos", math.Acos), realFunc("atan", math.Atan),
	realFunc("sinh", math.Sinh), realFunc("cosh", math.Cosh), realFunc("tanh", math.Tanh),
	realFunc("asinh", math.Asinh), realFunc("acosh", math.Acosh), realFunc("atanh", math.Atanh),
	realFunc("degrees", func(f float64) float64 { return f * (180 / math.Pi) }),
	realFunc("radians", func(f float64) float64 { return f * (math.Pi / 180) }),
	realFunc2("pow", power), realFunc2("mod", math.Mod), realFunc2("atan2", angle),
}

// numericArg returns v as a number if it is one: a text must be a number from end to end.
func numericArg(v Value) (Value, bool) {
	v = numericAffinity(v)
	return v, v.kind == Int || v.kind == Float
}

// realFunc is a function of one number that gives a real, NULL for what is no number and outside of its domain.
func realFunc(name string, f func(float64) float64) function {
	return function{name: name, min: 1, max: 1, typ: Real, nulls: nullMaybe, f1: func(_ *env, v Value) Value {
		n, ok := numericArg(v)
		if !ok {
			return null
		}
		return realValue(f(n.real()))
	}}
}

func realFunc2(name string, f func(a, b float64) float64) function {
	return function{name: name, min: 2, max: 2, typ: Real, nulls: nullMaybe, f2: func(_ *env, v, w Value) Value {
		a, ok := numericArg(v)
		b, ok2 := numericArg(w)
		if !ok || !ok2 {
			return null
		}
		return realValue(f(a.real(), b.real()))
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

// Numbers below smallestNormal have fewer digits the smaller they are. What the math package makes of them depends on the machine:
// its logarithm in assembly for amd64 takes all of them for about smallestNormal, and its power is made of that. The functions below scale
// such numbers first, by a power of two.

// naturalLog is math.Log for all numbers above zero.
func naturalLog(x float64) float64 {
	if x >= smallestNormal {
		return math.Log(x)
	}
	fraction, exponent := math.Frexp(x)
	return math.Log(fraction) + float64(exponent)*math.Ln2
}

// power is math.Pow for all numbers. The two factors go to zero or to infinity together, so that they never make a NaN.
func power(x, y float64) float64 {
	if x == 0 || math.Abs(x) >= smallestNormal {
		return math.Pow(x, y)
	}
	const bits = 54
	return math.Pow(math.Ldexp(x, bits), y) * math.Pow(2, -bits*y)
}

// angle is math.Atan2, which gives the wrong sign where y/x is so small that it becomes zero.
func angle(y, x float64) float64 {
	if x < 0 && y/x == 0 {
		return math.Copysign(math.Pi, y)
	}
	return math.Atan2(y, x)
}

// log10 is exact for powers of ten, which math.Log10 is not.
func log10(x float64) float64 {
	if x < smallestNormal {
		return naturalLog(x) / math.Ln10
	}
	f := math.Log10(x)
	if whole := math.Round(f); math.Pow10(int(whole)) == x {
		return whole
	}
	return f
}

// wholeFunc rounds reals to whole reals and leaves integers alone.
func wholeFunc(name string, f func(float64) float64) function {
	return function{name: name, min: 1, max: 1, nulls: nullMaybe, f1: func(_ *env, v Value) Value {
		n, ok := numericArg(v)
		switch {
		case !ok:
			return null
		case n.kind == Int:
			return n
		}
		return realValue(f(n.f))
	}}
}

func absFunc(e *env, v Value) Value {
	if v.kind != Int {
		f := toReal(v)
		if f < 0 {
			f = -f
		}
		return realValue(f) // which leaves -0.0 as it is, as SQLite does
	}
	if v.n == math.MinInt64 {
		return funcError(e, "integer overflow")
	}
	return intValue(max(v.n, -v.n))
}

func signFunc(_ *env, v Value) Value {
	n, ok := numericArg(v)
	if !ok {
		return null
	}
	return intValue(int64(compareFloats(n.real(), 0)))
}

// logFunc is log(x) to base 10 and log(base, x).
func logFunc(_ *env, args []Value) Value {
	first, ok := numericArg(args[0])
	if !ok || first.real() <= 0 {
		return null
	}
	if len(args) == 1 {
		return realValue(log10(first.real()))
	}
	base, x := naturalLog(first.real()), toReal(args[1])
	if base <= 0 || x <= 0 {
		return null
	}
	return realValue(naturalLog(x) / base)
}

// roundFunc rounds halves away from zero, to at most 30 digits after the point.
func roundFunc(_ *env, args []Value) Value {
	f, n := toReal(args[0]), int64(0)
	if len(args) > 1 {
		n = max(0, min(30, toInt(args[1])))
	}
	switch {
	case math.Abs(f) > 4503599627370496: // has no digits after the point
		return realValue(f)
	case n == 0:
		return realValue(float64(int64(f + math.Copysign(0.5, f)))) // which makes 0.0 of -0.0, as SQLite does
	}
	d := decodeReal(f)
	d.roundAt(int(n))
	return realValue(d.real())
}
