package query

import (
	"context"

	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// listedRows give rows that are there already.
type listedRows struct{ rows [][]value.Value }

func (l *listedRows) next(en *expr.Env) (bool, error) {
	if len(l.rows) == 0 {
		return false, nil
	}
	en.Row.Values, l.rows = l.rows[0], l.rows[1:]
	return true, nil
}

func (l *listedRows) close() error { return nil }

// listRows gives the rows of a list. They outlive the context of the statement, whose work is done.
func listRows(columns []Column, rows [][]value.Value, s *Session) Rows {
	ex := &execution{ctx: context.Background(), session: s}
	ex.limitMemory(s)
	return newRows(columns, &listedRows{rows: rows}, ex.env(nil))
}
