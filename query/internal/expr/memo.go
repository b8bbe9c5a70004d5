package expr

// A Memo holds what a running statement needs to compute only once, because it depends on no row:
// functions of arguments, sets of IN, compiled patterns. It belongs to one execution. Keys are
// pointers made when the statement was compiled.
type Memo struct {
	few  []memoEntry // searched from front to back
	many map[*MemoKey]any
}

// A MemoKey tells one thing that is remembered from others.
type MemoKey struct{ _ byte }

type memoEntry struct {
	key *MemoKey
	v   any
}

// memoFew is how many entries are found faster by looking at each than by hashing.
const memoFew = 8

// Get returns what is remembered under a key.
func (m *Memo) Get(key *MemoKey) (any, bool) {
	for i := range m.few {
		if m.few[i].key == key {
			return m.few[i].v, true
		}
	}
	v, ok := m.many[key]
	return v, ok
}

// Put remembers something.
func (m *Memo) Put(key *MemoKey, v any) {
	if len(m.few) < memoFew {
		m.few = append(m.few, memoEntry{key, v})
		return
	}
	if m.many == nil {
		m.many = make(map[*MemoKey]any)
	}
	m.many[key] = v
}

// memoized returns a function that computes its result once per execution.
func memoized[T any](compute func(*Env) T) func(*Env) T {
	key := new(MemoKey)
	return func(e *Env) T {
		m := &e.Memo
		if e.Exec != nil {
			m = e.Exec.Memo()
		}
		if v, ok := m.Get(key); ok {
			return *v.(*T)
		}
		mark := e.Made
		v := compute(e)
		e.Remember(mark)
		m.Put(key, &v)
		return v
	}
}

// once makes a constant expression compute its value once per execution.
func once(x *Expr) *Expr {
	y := *x
	y.Eval, y.Test = memoized(x.Eval), nil
	return &y
}
