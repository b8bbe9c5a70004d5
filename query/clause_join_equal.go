package query

import (
	"slices"

	"github.com/eventfold/eventfold/parser"
)

// An equalColumn is a column that equals others in every row of a block.
type equalColumn struct {
	ordinal int // in the whole of FROM
	source  int
	e       *parser.Column
}

// equalColumns are columns that are equal to each other in every row of a block. All of them are
// compared in the same way, so that a = b and b = c say that a = c. Columns whose type is not known
// are not among them: two texts that equal one time may differ.
type equalColumns struct {
	columns []equalColumn
	sources itemSet
}

// equalities are what the conditions of a block say of columns.
type equalities struct {
	lists     []*equalColumns
	listOf    map[int]*equalColumns // by ordinal of a column
	constants map[int]parser.Expr   // by ordinal of a column: what it equals
}

// deduce finds the columns that are equal, and adds what equals a constant because another column
// does.
func (b *joinBlock) deduce() {
	b.equal = equalities{listOf: map[int]*equalColumns{}, constants: map[int]parser.Expr{}}
	for _, w := range b.conds {
		if x, y, ok := b.equalPair(w); ok {
			b.equal.unite(x, y)
		}
		b.equal.noteConstant(w)
	}
	for _, list := range b.equal.lists {
		for _, x := range list.columns {
			if constant := b.equal.constants[x.ordinal]; constant != nil {
				b.spread(list, constant)
				break
			}
		}
	}
}

// spread says of every column of the list that it equals the value.
func (b *joinBlock) spread(list *equalColumns, constant parser.Expr) {
	for _, x := range list.columns {
		if b.equal.constants[x.ordinal] == nil && b.isTable(x.source) {
			b.equal.constants[x.ordinal] = constant
			b.conds = append(b.conds, b.equality(x.e, constant))
		}
	}
}

// deduceOn gives what the right side of a LEFT JOIN must equal because its ON compares it with what
// equals a constant.
func (b *joinBlock) deduceOn(it *joinItem) []*pendingCond {
	var list []*pendingCond
	for _, w := range it.on {
		x, y, ok := b.equalPair(w)
		if !ok {
			continue
		}
		if !setOf(x.source, x.source+1).within(it.set) {
			x, y = y, x
		}
		if constant := b.equal.constants[y.ordinal]; constant != nil {
			list = append(list, b.equality(x.e, constant))
		}
	}
	return list
}

func (b *joinBlock) equality(x, y parser.Expr) *pendingCond {
	return b.newPending(&parser.Binary{Pos: x.At(), Op: parser.OpEq, X: x, Y: y}, "ON", 0,
		len(b.sources))
}

// isTable reports whether the source is a table or sub-query of an inner join of the block.
func (b *joinBlock) isTable(source int) bool {
	return slices.ContainsFunc(b.items,
		func(it *joinItem) bool { return it.leaf && !it.outer && it.lo == source })
}

// equalPair returns the two columns that a condition says are equal, if that is what it says.
func (b *joinBlock) equalPair(w *pendingCond) (x, y equalColumn, ok bool) {
	if w.columns[0] == nil || w.columns[1] == nil {
		return x, y, false
	}
	x, y = *w.columns[0], *w.columns[1]
	v, u := b.columnAt(x), b.columnAt(y)
	return x, y, v.Type == u.Type && v.Type != Any && v.affinity == u.affinity &&
		v.collate == u.collate
}

func (b *joinBlock) columnAt(x equalColumn) tableColumn {
	src := &b.sources[x.source]
	return src.columns[x.ordinal-src.offset]
}

// ownColumn returns the column of FROM that an expression of the condition is, nil for any other
// expression.
func (c *coreScope) ownColumn(w *pendingCond, e parser.Expr) *equalColumn {
	col, ok := e.(*parser.Column)
	if !ok {
		return nil
	}
	i, err := c.scope(w).find(col)
	if err != nil || i < 0 {
		return nil
	}
	n := c.sourceOf(i)
	at := &parser.Column{Pos: col.Pos, Table: c.sources[n].name, Name: col.Name}
	if same, err := c.find(at); err != nil || same != i {
		at.Table = ordinalName(i)
	}
	return &equalColumn{ordinal: i, source: n, e: at}
}

// noteConstant notes the column of which the condition says that it equals a constant.
func (q *equalities) noteConstant(w *pendingCond) {
	for i, x := range w.columns {
		if x == nil || w.sides[1-i] != 0 {
			continue
		}
		eq := w.e.(*parser.Binary)
		if constant := [2]parser.Expr{eq.X, eq.Y}[1-i]; repeatable(w, constant) {
			q.constants[x.ordinal] = constant
		}
	}
}

// repeatable reports whether the value can be compared with in another place, too: it is the same
// wherever and whenever it is evaluated.
func repeatable(w *pendingCond, e parser.Expr) bool {
	switch e := e.(type) {
	case *parser.Literal, *parser.Param:
		return true
	case *parser.Unary:
		return e.Op == parser.OpNeg && repeatable(w, e.X)
	case *parser.Column: // of an enclosing query
		return w.clause == "WHERE"
	}
	return false
}

// unite notes that two columns are equal.
func (q *equalities) unite(x, y equalColumn) {
	into, from := q.list(x), q.list(y)
	if into == from {
		return
	}
	if len(into.columns) < len(from.columns) {
		into, from = from, into
	}
	for _, z := range from.columns {
		q.listOf[z.ordinal] = into
	}
	into.columns, into.sources = append(into.columns, from.columns...), into.sources|from.sources
	from.columns = nil
	from.sources = 0
}

// list returns the list that has the column.
func (q *equalities) list(x equalColumn) *equalColumns {
	list := q.listOf[x.ordinal]
	if list == nil {
		list = &equalColumns{columns: []equalColumn{x}, sources: setOf(x.source, x.source+1)}
		q.listOf[x.ordinal] = list
		q.lists = append(q.lists, list)
	}
	return list
}

// of returns one of the columns that a set of sources has. There is one if list.sources overlaps
// the set.
func (list *equalColumns) of(set itemSet) *parser.Column {
	for _, x := range list.columns {
		if setOf(x.source, x.source+1).within(set) {
			return x.e
		}
	}
	return nil
}

// link reports whether some column of the one equals some column of the other.
func (q *equalities) link(x, y itemSet) bool {
	return slices.ContainsFunc(q.lists,
		func(list *equalColumns) bool { return list.sources.overlaps(x) && list.sources.overlaps(y) })
}

// deduced returns the equalities between two parts of FROM that follow from others and that no
// condition states.
func (b *joinBlock) deduced(left, right itemSet) []*pendingCond {
	stated := map[*equalColumns]bool{}
	for _, w := range b.conds {
		if x, _, ok := b.equalPair(w); ok && w.links(left, right) {
			stated[b.equal.listOf[x.ordinal]] = true
		}
	}
	var list []*pendingCond
	for _, equal := range b.equal.lists {
		if !stated[equal] && equal.sources.overlaps(left) && equal.sources.overlaps(right) {
			list = append(list, b.equality(equal.of(left), equal.of(right)))
		}
	}
	return list
}
