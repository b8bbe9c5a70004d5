package query

// A memo holds what a running statement needs to compute only once, because it depends on no row: functions of arguments,
// sets of IN, compiled patterns. It belongs to one execution. Keys are pointers made when the statement was compiled.
type memo struct {
	few  []memoEntry // searched from front to back
	many map[*memoKey]any
}

// A memoKey tells one thing that is remembered from others.
type memoKey struct{ _ byte }

type memoEntry struct {
	key *memoKey
	v   any
}

// memoFew is how many entries are found faster by looking at each than by hashing.
const memoFew = 8

func (m *memo) get(key *memoKey) (any, bool) {
	for i := range m.few {
		if m.few[i].key == key {
			return m.few[i].v, true
		}
	}
	v, ok := m.many[key]
	return v, ok
}

func (m *memo) put(key *memoKey, v any) {
	if len(m.few) < memoFew {
		m.few = append(m.few, memoEntry{key, v})
		return
	}
	if m.many == nil {
		m.many = make(map[*memoKey]any)
	}
	m.many[key] = v
}

// memoized returns a function that computes its result once per execution.
func memoized[T any](compute func(*env) T) func(*env) T {
	key := new(memoKey)
	return func(e *env) T {
		m := &e.memo
		if e.exec != nil {
			m = &e.exec.memo
		}
		if v, ok := m.get(key); ok {
			return *v.(*T)
		}
		mark := e.made
		v := compute(e)
		e.remember(mark)
		m.put(key, &v)
		return v
	}
}

// once makes a constant expression compute its value once per execution.
func once(x *expr) *expr {
	y := *x
	y.eval, y.test = memoized(x.eval), nil
	return &y
}
