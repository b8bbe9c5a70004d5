package eventfold

import (
	"context"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query"
)

// A statement is a compiled text. It is immutable and shared by all connections of the store.
type statement struct {
	text  string
	plan  *query.Plan
	tree  parser.Statement
	names []string // of the columns; nil for a plan that is late
}

// follows reports whether the statement's rows wait for new events.
func (s *statement) follows() bool {
	sel, ok := s.tree.(*parser.Select)
	return ok && sel.Follow
}

// compile makes a statement of a text, which may call functions of the program.
func compile(ctx context.Context, text string, f *query.Functions) (*statement, error) {
	parsed, err := parser.Parse(text)
	if err != nil {
		return nil, err
	}
	plan, err := query.CompileWith(ctx, parsed, f)
	if err != nil {
		return nil, err
	}
	return &statement{
		text: text, plan: plan, tree: parsed.Statement, names: namesOf(plan.Columns()),
	}, nil
}

func namesOf(columns []query.Column) (names []string) {
	for _, column := range columns {
		names = append(names, column.Name)
	}
	return names
}
