package query

import (
	"slices"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A recursion is what is special about a name of WITH RECURSIVE whose SELECT reads it: the cores
// from the first one that does are run again and again, on the rows that they have given.
type recursion struct {
	cte     *parser.CTE
	columns []tableColumn // of the rows that the recursive cores read; nil while the first core is compiled
	loose   []looseness   // by column; empty if all types are known
	first   int           // the first recursive core, 0 if there is none
	op      compoundOp    // which joins it
	reads   int           // how often the core that is being compiled reads the name
	single  bool          // rows are given to the recursive cores one at a time
}

// A looseness is what is not known of a column's type before the recursive cores are compiled.
type looseness struct{ any, nullable bool }

// compileRecursive compiles a name of WITH RECURSIVE. The types of its columns depend on
// themselves: the recursive SELECTs are compiled with those that the first ones give, again where
// columns did not keep them, which are of any type then, and at last with columns of any type
// alone. Inside of another recursion, which is compiled more than once itself, that is done at once.
func (c *statementCompiler) compileRecursive(w *withName, cte *parser.CTE, q queryScope) error {
	c.recursing++
	defer func() { c.recursing-- }()
	var loose []looseness
	for round := 1; ; round++ {
		r := &recursion{cte: cte, loose: loose}
		last := round == 3 || c.recursing > 1
		if last {
			r.loose = slices.Repeat([]looseness{{true, true}}, maxColumns+1)
		}
		w.recursion, q.recursion, q.ctes = r, r, w
		plan, err := c.compileSelect(cte.Select, q)
		if err != nil {
			return err
		}
		settled := false
		if loose, settled = r.loosened(plan.columns); last || settled {
			w.plan = plan
			return nil
		}
	}
}

// loosened adds to what is loose the columns to which the recursive cores have given other types than
// they were told. settled is true if there are none.
func (r *recursion) loosened(columns []tableColumn) (loose []looseness, settled bool) {
	settled = true
	if r.first == 0 {
		return nil, true
	}
	for i, told := range r.columns {
		is := looseness{told.Type != columns[i].Type && told.Type != Any, columns[i].Nullable && !told.Nullable}
		settled = settled && is == looseness{}
		if i < len(r.loose) {
			is.any, is.nullable = is.any || r.loose[i].any, is.nullable || r.loose[i].nullable
		}
		loose = append(loose, is)
	}
	return loose, settled
}

// begin is told the columns of the cores so far before a further one is compiled.
func (r *recursion) begin(columns []tableColumn) error {
	r.reads = 0
	if r.first > 0 {
		return nil
	}
	r.columns = slices.Clone(columns)
	for i := range r.columns {
		if i >= len(r.loose) {
			break
		}
		if r.loose[i].any {
			r.columns[i].Type = Any
		}
		r.columns[i].Nullable = r.columns[i].Nullable || r.loose[i].nullable
	}
	return renameColumns(r.cte, r.columns)
}

// end looks at core number i when it has been compiled.
func (r *recursion) end(i int, op compoundOp, core *corePlan, tree *parser.Core) error {
	name := fault.Quoted(r.cte.Name)
	if r.reads == 0 && r.first == 0 {
		return nil
	}
	switch {
	case r.reads == 0:
		return errorf(BadStatement, tree.Pos,
			"the SELECTs that do not read %s stand in front of those that do", name)
	case op.CompoundOp != parser.CompoundUnion:
		return errorf(BadStatement, tree.Pos,
			"a SELECT that reads %s itself is joined by UNION or UNION ALL, not by %v", name, op.CompoundOp)
	case r.first > 0 && op != r.op:
		return errorf(BadStatement, tree.Pos,
			"the SELECTs that read %s are joined all by UNION, or all by UNION ALL", name)
	case core.group != nil || core.windows != nil:
		e := errorf(BadStatement, tree.Pos,
			"a SELECT that reads %s itself has no aggregates and no window functions", name)
		e.Hint = "aggregate what the whole of it gives"
		return e
	case r.first == 0:
		r.first, r.op = i, op
	}
	r.single = r.single || tree.Distinct || hasOuterJoin(tree.From)
	return nil
}

// hasOuterJoin reports whether some join gives rows for what has no match, which depends on the
// rows that it has at once.
func hasOuterJoin(s parser.Source) bool {
	j, ok := s.(*parser.Join)
	return ok && (j.Kind != parser.InnerJoin || hasOuterJoin(j.Left) || hasOuterJoin(j.Right))
}

// readItself is the use of a name in its own SELECT.
func (c *coreScope) readItself(w *withName, from *parser.Table) (relation, error) {
	r, name := w.recursion, fault.Quoted(w.name)
	switch {
	case c.recursion != r:
		return nil, errorf(BadStatement, from.Pos,
			"%s can be read in the FROM of its own SELECT, and not in a sub-query there", name)
	case r.columns == nil:
		e := errorf(BadStatement, from.Pos,
			"the first SELECT of %s cannot read it: it gives the rows to begin with", name)
		e.Hint = "main." + name + " is the stream"
		return nil, e
	}
	if r.reads++; r.reads > 1 {
		return nil, errorf(BadStatement, from.Pos, "a SELECT can read its own name, %s, once", name)
	}
	return &workingRelation{r}, nil
}

// A workingRelation is the use of a name of WITH RECURSIVE in its own SELECT: the rows that are new.
type workingRelation struct{ r *recursion }

func (t *workingRelation) schema() []tableColumn { return t.r.columns }

func (t *workingRelation) bind(i int) *expr.Expr { return boundColumn(t.r.columns[i], slotExpr(i)) }

func (t *workingRelation) open(ex *execution, _ *expr.Env) (rows, error) {
	return &listedRows{rows: ex.working[t.r]}, nil
}

func (t *workingRelation) explain(x *explainer) {
	x.step("working rows", "%s, those that the last round has added", t.r.cte.Name)
}

// openRecursive starts the cores of a recursion.
func (p *selectPlan) openRecursive(ex *execution, outer *expr.Env) rows {
	r := &recursiveRows{plan: p, ex: ex, outer: outer, keep: newKeeper(ex.budget, "WITH RECURSIVE")}
	if !p.recursion.op.all {
		r.seen = newRowSet(newRowKeys(p.columns), ex, "WITH RECURSIVE")
	}
	if r.single = p.recursion.single; len(p.order) > 0 {
		r.single, r.queue = true, &orderedQueue{keys: p.order}
	} else {
		r.queue = &plainQueue{}
	}
	return r
}

// recursiveRows give the rows of a recursion, in SQLite's way: what the first cores give goes into a
// queue. The next row of the queue is given to whoever reads, and then to the recursive cores, and
// what they give goes into the queue. Unless it makes a difference they get all rows at once that
// were in the queue together: a table that they read besides is read once for many rows.
type recursiveRows struct {
	plan   *selectPlan
	ex     *execution
	outer  *expr.Env
	single bool
	keep   *keeper
	seen   *rowSet // nil for UNION ALL
	queue  recursiveQueue
	given  [][]value.Value // rows that were given, and that the recursive cores have not got yet
	begun  bool
}

// A recursiveQueue has the rows of a recursion that have not been given yet.
type recursiveQueue interface {
	put(row []value.Value)
	take() []value.Value // nil if there is none
	len() int
}

func (r *recursiveRows) next(en *expr.Env) (bool, error) {
	if err := r.fill(); err != nil {
		return false, err
	}
	row := r.queue.take()
	if row == nil {
		return false, nil
	}
	r.given = append(r.given, row)
	en.Row.Values = row
	return true, nil
}

// fill runs the cores that must have run before the next row is given.
func (r *recursiveRows) fill() error {
	p := r.plan
	if !r.begun {
		r.begun = true
		return r.read(p.openCompound(r.ex, r.outer, p.recursion.first))
	}
	if len(r.given) == 0 || !r.single && r.queue.len() > 0 {
		return nil
	}
	for _, core := range p.cores[p.recursion.first:] {
		if err := r.run(core); err != nil {
			return err
		}
	}
	for _, row := range r.given {
		r.keep.forget(row)
	}
	r.given = r.given[:0]
	return nil
}

// run gives a recursive core the rows that it has not got yet.
func (r *recursiveRows) run(core *corePlan) error {
	if r.ex.working == nil {
		r.ex.working = map[*recursion][][]value.Value{}
	}
	r.ex.working[r.plan.recursion] = r.given
	return r.read(&coreRows{core: core, ex: r.ex, outer: r.outer})
}

// read puts the rows of a core into the queue.
func (r *recursiveRows) read(in rows) (err error) {
	defer r.ex.leave(r.ex.envs)
	defer func() {
		if cerr := in.close(); err == nil {
			err = cerr
		}
	}()
	en := r.ex.env(r.outer)
	for {
		en.Begin()
		ok, err := in.next(en)
		if !ok || err != nil {
			return err
		}
		if err := r.put(en); err != nil {
			return err
		}
	}
}

// put puts the current row of en into the queue, if it belongs there.
func (r *recursiveRows) put(en *expr.Env) error {
	if r.seen != nil {
		isNew, err := r.seen.add(en, en.Row.Values)
		if !isNew || err != nil {
			return err
		}
	}
	row := en.Row.Values
	keep := r.keep.row
	if len(r.plan.order) > 0 {
		keep = r.keep.alone
		if !en.Effort(sortEffort(row, row)) {
			return en.Err
		}
	}
	row, err := keep(row)
	if err == nil {
		r.queue.put(row)
	}
	return err
}

func (r *recursiveRows) close() error {
	r.queue, r.given = &plainQueue{}, nil
	r.keep.release()
	if r.seen != nil {
		r.seen.release()
	}
	return nil
}

func (p *selectPlan) explainRecursive(x *explainer) {
	first := p.recursion.first
	p.explainCores(x, 0, first)
	p.explainCores(x, first, len(p.cores))
	how := "all new rows at once"
	switch {
	case len(p.order) > 0:
		how = "one row at a time, in order"
	case p.recursion.single:
		how = "one row at a time"
	}
	x.step("recursive "+parser.LowerASCII(p.recursion.op.String()), "%s, %s", p.recursion.cte.Name, how)
}
