package value

import "math"

// NaturalLog is math.Log for all numbers above zero.
func NaturalLog(x float64) float64 {
	if x >= smallestNormal {
		return math.Log(x)
	}
	fraction, exponent := math.Frexp(x)
	return math.Log(fraction) + float64(exponent)*math.Ln2
}

// Power is math.Pow for all numbers. The two factors go to zero or to infinity together, so that
// they never make a NaN.
func Power(x, y float64) float64 {
	if x == 0 || math.Abs(x) >= smallestNormal {
		return math.Pow(x, y)
	}
	const bits = 54
	return math.Pow(math.Ldexp(x, bits), y) * math.Pow(2, -bits*y)
}

// Angle is math.Atan2, which gives the wrong sign where y/x is so small that it becomes zero.
func Angle(y, x float64) float64 {
	if x < 0 && y/x == 0 {
		return math.Copysign(math.Pi, y)
	}
	return math.Atan2(y, x)
}

// Log10 is exact for powers of ten, which math.Log10 is not.
func Log10(x float64) float64 {
	if x < smallestNormal {
		return NaturalLog(x) / math.Ln10
	}
	f := math.Log10(x)
	if whole := math.Round(f); math.Pow10(int(whole)) == x {
		return whole
	}
	return f
}
