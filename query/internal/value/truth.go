package value

// A Truth is the value of a condition.
type Truth uint8

// The truths, three of them because a condition on NULL is neither true nor false.
const (
	No Truth = iota
	Yes
	Unknown
)

// Value returns t as SQL has it: 0, 1 or NULL.
func (t Truth) Value() Value {
	if t == Unknown {
		return null
	}
	return Value{Kind: Int, N: int64(t)}
}

// Not is the three-valued NOT.
func (t Truth) Not() Truth {
	if t == Unknown {
		return Unknown
	}
	return t ^ 1
}

// TruthOf is Yes or No.
func TruthOf(b bool) Truth {
	if b {
		return Yes
	}
	return No
}

// Truth returns v as a condition: NULL is unknown, numbers are true unless zero, texts count by
// their numeric prefix.
func (v Value) Truth() Truth {
	switch v.Kind {
	case Null:
		return Unknown
	case Int:
		return TruthOf(v.N != 0)
	case Float:
		return TruthOf(v.F != 0)
	}
	return TruthOf(ToReal(v) != 0)
}

// And is the three-valued AND.
func And(a, b Truth) Truth {
	if a == No || b == No {
		return No
	}
	if a == Unknown || b == Unknown {
		return Unknown
	}
	return Yes
}

// Or is the three-valued OR.
func Or(a, b Truth) Truth {
	if a == Yes || b == Yes {
		return Yes
	}
	if a == Unknown || b == Unknown {
		return Unknown
	}
	return No
}
