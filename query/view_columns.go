package query

import (
	"context"
	"sync"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
)

// viewColumns are the columns of a view among the others of a viewSet, found out when they are
// asked for.
type viewColumns struct {
	mu      sync.Mutex // protects all below, while they are found out
	known   bool
	columns []tableColumn
	err     error
}

// A viewKey is a view as a program sees it that has some functions.
type viewKey struct {
	view      *viewDefinition
	functions *Functions
}

// columnsOf returns the columns of a view, without running it. An error tells why it cannot be
// compiled.
func (s *viewSet) columnsOf(
	ctx context.Context, v *viewDefinition, f *Functions,
) ([]tableColumn, error) {
	found, _ := s.columns.LoadOrStore(viewKey{v, f}, &viewColumns{})
	c := found.(*viewColumns)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.known {
		columns, err := s.compile(ctx, v, f)
		if err != nil && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		c.columns, c.err, c.known = columns, v.fault(err, -1), true
	}
	return c.columns, c.err
}

// compile compiles a view by itself. The places of errors are those of its definition.
func (s *viewSet) compile(
	ctx context.Context, v *viewDefinition, f *Functions,
) ([]tableColumn, error) {
	sel, err := v.parse()
	if err != nil {
		return nil, v.unreadable(err, -1)
	}
	c := &statementCompiler{catalog: storeCatalog{views: s}, functions: f, ctx: ctx}
	plan, err := c.expandView(v, sel)
	if c.err != nil {
		err = c.err
	}
	if err != nil {
		return nil, err
	}
	if plan.keepable != nil {
		return nil, plan.keepable
	}
	seen := map[string]bool{}
	for _, col := range plan.columns {
		name := parser.LowerASCII(col.Name)
		if seen[name] {
			e := errorf(BadStatement, sel.Pos, "two columns of the view are called %s", fault.Quoted(col.Name))
			e.Hint = "name one of them with AS"
			return nil, e
		}
		seen[name] = true
	}
	return plan.columns, nil
}

// uses reports whether a view reads another one, directly or through others.
func (s *viewSet) uses(v *viewDefinition, name string) bool {
	return s.usesBut(v, name, map[*viewDefinition]bool{})
}

func (s *viewSet) usesBut(v *viewDefinition, name string, seen map[*viewDefinition]bool) bool {
	if seen[v] {
		return false
	}
	seen[v] = true
	sel, err := v.parse()
	if err != nil {
		return false
	}
	for _, t := range parser.Tables(sel) {
		if t.Schema != parser.ViewsSchema {
			continue
		}
		if sameName(t.Name, name) {
			return true
		}
		if next := s.find(t.Name); next != nil && s.usesBut(next, name, seen) {
			return true
		}
	}
	return false
}
