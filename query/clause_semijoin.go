package query

import (
	"errors"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
)

// A semiJoin answers EXISTS (SELECT ... WHERE b.x = a.y AND rest), or v IN (SELECT w ...) with such
// a WHERE, from one run of the sub-query: SELECT b.x ... WHERE rest, whose rows are found again by
// their keys. a is a table of an enclosing query.
//
// The sub-query itself is run for each row as before until that has cost about as much as one run
// for all rows, and whenever the keys cannot tell.
type semiJoin struct {
	sub   *subPlan     // without the equalities; it gives the value to look for, of IN, then the keys
	keys  []joinKey    // left is what is compared with the enclosing query's value
	outer []*expr.Expr // evaluated on the row of the enclosing query
	text  string       // for EXPLAIN
	what  string       // EXISTS or IN
	in    *membership  // nil for EXISTS
	where bool         // it stands in WHERE

	// stream is the number from 1 of the key that compares the streams of $all, in both queries; 0 for
	// none. See semiWalk.
	stream int
	beside *tableScan // of the enclosing query, if both may be read stream by stream
}

// A semiSplit tells the compiler of a sub-query to take out of its WHERE what a semiJoin looks up.
type semiSplit struct {
	in         bool          // its own result is kept, before the keys
	own, outer []parser.Expr // the sides of the equalities
	turned     []bool        // the enclosing query's side stands left in the text
	streams    []bool        // own is the stream of $all
	texts      []string
}

// errNoSemiJoin ends the compilation of a sub-query that cannot be split. No user sees it.
var errNoSemiJoin = errors.New("query: the sub-query cannot be split")

// maxSplits is how many sub-queries of a statement are split: each is compiled twice, with whatever
// stands in it.
const maxSplits = 16

// newSemiJoin splits the sub-query that p is, if it can be split.
func (s *clauseScope) newSemiJoin(sel *parser.Select, p *subPlan, in *membership) *semiJoin {
	if !p.plan.outer || s.grouped || s.live != nil || !splittable(sel, in != nil) || s.splits >= maxSplits {
		return nil
	}
	if core := p.plan.cores[0]; core.group != nil || core.windows != nil { // EXISTS (SELECT COUNT(*) ...)
		return nil
	}
	s.splits++
	split := &semiSplit{in: in != nil}
	plan := s.compileSplit(sel, split)
	if plan == nil {
		return nil
	}
	s.subs++
	j := &semiJoin{
		sub: &subPlan{number: s.subs, plan: plan, pos: p.pos}, text: joinTexts(split.texts),
		what: "EXISTS", in: in, where: s.clause == "WHERE",
	}
	if in != nil {
		j.what = "IN"
	}
	if !j.addKeys(s, split) {
		return nil
	}
	if s.semis != nil {
		*s.semis = append(*s.semis, j)
	}
	return j
}

// splittable reports whether dropping conditions of a SELECT leaves rows out of which those that
// satisfy the conditions can be taken later.
func splittable(sel *parser.Select, in bool) bool {
	core := sel.First
	switch {
	case len(sel.Unions) > 0 || sel.Offset != nil || core.From == nil || core.Where == nil:
		return false
	case len(core.DistinctOn) > 0 || len(core.GroupBy) > 0 || core.GroupAll || core.Grouping != nil ||
		core.Having != nil || core.Qualify != nil || len(core.Windows) > 0:
		return false
	case sel.Limit != nil:
		limit, ok := sel.Limit.(*parser.Literal)
		if !ok || in {
			return false
		}
		n, ok := limit.Value.(int64)
		return ok && n > 0
	}
	return true
}

// compileSplit compiles the sub-query without its equalities, nil if that cannot be. The statement is
// afterwards as if nothing had been tried.
func (s *clauseScope) compileSplit(sel *parser.Select, split *semiSplit) *selectPlan {
	c := s.statementCompiler
	selects, scans, checks, expanded := len(c.selects), len(c.scans), len(c.checks), c.expanded
	c.splitting++
	plain := *sel
	plain.OrderBy, plain.Limit = nil, nil
	plan, err := s.compileSelect(&plain, queryScope{
		parent: s, ctes: s.ctes, nested: true, depth: s.depth + 1, split: split,
	})
	c.splitting--
	c.expanded = expanded
	if err != nil || plan.outer || plan.cores[0].group != nil || plan.cores[0].windows != nil {
		c.selects, c.scans, c.checks = c.selects[:selects], c.scans[:scans], c.checks[:checks]
		return nil
	}
	return plan
}

// addKeys compiles what the keys are compared with.
func (j *semiJoin) addKeys(s *clauseScope, split *semiSplit) bool {
	own := j.sub.plan.cores[0].results
	if split.in {
		own = own[1:]
	}
	for i, e := range split.outer {
		x, err := expr.Compile(e, s)
		if err != nil || x.Tags || own[i].Tags || x.Type == EventType || own[i].Type == EventType {
			return false
		}
		left, right := own[i], x
		if split.turned[i] {
			left, right = right, left
		}
		key, ok := newJoinKey(left, right)
		if !ok {
			return false
		}
		j.keys, j.outer = append(j.keys, key), append(j.outer, x)
		if split.streams[i] && len(s.sources) == 1 && s.isStream(split.outer[i]) {
			j.stream = i + 1
		}
	}
	return true
}

// splitWhere takes the equalities with columns of enclosing queries out of WHERE and makes results of
// the core's own sides, in a sub-query that is split.
func (c *coreScope) splitWhere() error {
	split := c.split
	if split == nil {
		return nil
	}
	// Without the equalities a join may be a product, where they lead to a few rows of each table.
	if c.core.Values != nil || len(c.sources) > 1 {
		return errNoSemiJoin
	}
	core, rest := *c.core, []parser.Expr(nil)
	for _, e := range conjuncts(c.core.Where) {
		if !c.takeEquality(e) {
			rest = append(rest, e)
		}
	}
	if len(split.own) == 0 || split.in && (len(core.Results) != 1 || core.Results[0].Star) {
		return errNoSemiJoin
	}
	switch core.Where = nil; len(rest) {
	case 0:
	case 1:
		core.Where = rest[0]
	default:
		core.Where = &parser.Nary{Op: parser.OpAnd, Terms: rest}
	}
	if !split.in {
		core.Results = nil
	}
	core.Results = core.Results[:len(core.Results):len(core.Results)]
	for _, e := range split.own {
		core.Results = append(core.Results, parser.Result{Pos: e.At(), Expr: e})
	}
	core.Distinct, c.core = false, &core
	return nil
}

// takeEquality notes an equality between the core's own columns and those of enclosing queries.
func (c *coreScope) takeEquality(e parser.Expr) bool {
	eq, ok := e.(*parser.Binary)
	if !ok || eq.Op != parser.OpEq {
		return false
	}
	own, outer, turned := eq.X, eq.Y, false
	if c.readsOnly(eq.Y, true) {
		own, outer, turned = eq.Y, eq.X, true
	}
	if !c.readsOnly(own, true) || !c.readsOnly(outer, false) {
		return false
	}
	split := c.split
	split.own, split.outer = append(split.own, own), append(split.outer, outer)
	split.turned, split.texts = append(split.turned, turned), append(split.texts, exprText(e))
	split.streams = append(split.streams, c.isStream(own))
	return true
}

// readsOnly reports whether an expression reads columns, and only the core's own ones, or only such
// of enclosing queries, and nothing that is more than a function of them.
func (c *coreScope) readsOnly(e parser.Expr, own bool) bool {
	reads := false
	other := parser.Contains(e, func(e parser.Expr) bool {
		switch e := e.(type) {
		case *parser.Column:
			i, err := c.find(e)
			reads = true
			return err != nil || (i >= 0) != own || !own && c.namesResult(e)
		case *parser.Call:
			return e.Over != nil || c.isAggregate(e) || isReveal(e) || c.functions.find(e.Name) != nil
		}
		return hasSelect(e)
	})
	return reads && !other
}

// namesResult reports whether a column may be the name of a result of the SELECT that is written.
func (c *coreScope) namesResult(col *parser.Column) bool {
	for _, r := range c.core.Results {
		if col.Table == "" && (r.Star || sameName(r.Alias, col.Name)) {
			return true
		}
	}
	return false
}

// explain tells the sub-query that is run once.
func (j *semiJoin) explain(x *explainer) {
	if _, ok := x.ex.index.(*watchedIndex); ok {
		return
	}
	x.depth++
	j.sub.plan.explain(x)
	x.depth--
	x.step("semi-join", "%s by hash of %s%s", j.what, j.text, j.walkText(x))
}
