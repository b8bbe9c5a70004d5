package eventfold

import (
	"context"
	"database/sql/driver"
	"errors"
	"slices"
	"strings"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query"
)

// A script is a text of several statements. It is all or nothing: its statements run in a
// transaction of their own, or behind a savepoint of the one that is open. Only a script that has
// BEGIN, COMMIT or ROLLBACK itself decides itself what is one.
type script struct {
	text       string
	parts      []string // the statements, as they stand in text
	statements []*statement
}

// splitScript returns the statements of a text, none if it cannot be cut.
func splitScript(text string) []string {
	parts, err := parser.Split(text)
	if err != nil {
		return nil
	}
	return parts
}

// brackets are the statements around those of a script: how it begins, ends well and ends badly.
type brackets struct{ begin, commit, rollback string }

var (
	ownTransaction  = brackets{"BEGIN", "COMMIT", "ROLLBACK"}
	insideSavepoint = brackets{
		"SAVEPOINT eventfold_script", "RELEASE eventfold_script", "ROLLBACK TO eventfold_script",
	}
)

// A tally adds up the outcomes of a script's statements.
type tally struct {
	query.Outcome
	open query.Outcome // of the transaction that is open, whose COMMIT tells what it has written
}

func (t *tally) add(s *statement, o query.Outcome) {
	if _, ok := s.tree.(*parser.Transaction); ok {
		t.open = query.Outcome{}
	}
	if o.Receipt != nil {
		t.open.RowsAffected += o.RowsAffected
		if t.open.Receipt == nil || t.open.Receipt.OfErasure() || !o.Receipt.OfErasure() {
			t.open.Receipt = o.Receipt
		}
		return
	}
	t.RowsAffected += o.RowsAffected
	if o.LastPosition != engine.NoPosition {
		t.LastPosition = o.LastPosition
	}
}

func (t *tally) result() driver.Result {
	if t.open.Receipt != nil {
		return (*receipt)(t.open.Receipt.Of(t.open.RowsAffected))
	}
	return result{t.Outcome}
}

func (sc *script) hasTransaction() bool {
	return slices.ContainsFunc(sc.statements, func(s *statement) bool {
		_, ok := s.tree.(*parser.Transaction)
		return ok
	})
}

// share deals the arguments out to the statements.
func (sc *script) share(args []driver.NamedValue) ([][]driver.NamedValue, error) {
	shares := make([][]driver.NamedValue, len(sc.statements))
	next, used := 0, make([]bool, len(args))
	for i, s := range sc.statements {
		params := s.plan.Params()
		for j, arg := range args {
			if arg.Name != "" && slices.Contains(params.Names, arg.Name) {
				shares[i] = append(shares[i], arg)
				used[j] = true
			}
		}
		for n := range params.Count {
			if next == len(args) {
				return nil, fault(ErrArgument, "exec",
					"statement %d of the script takes %d arguments, and only %d are left", i+1, params.Count, n)
			}
			arg := args[next]
			arg.Ordinal = n + 1
			shares[i] = append(shares[i], arg)
			used[next] = true
			next++
		}
	}
	if unused := slices.Index(used, false); unused >= 0 {
		return nil, fault(ErrArgument, "exec", "argument %d is used by no statement of the script",
			unused+1)
	}
	return shares, nil
}

// wrapError makes an error of statement i one with a place in the whole script.
func (sc *script) wrapError(ctx context.Context, i int, err error) error {
	err = wrapError(ctx, "exec", sc.parts[i], err)
	var e *Error
	if pos := positionOf(err); pos >= 0 && errors.As(err, &e) {
		e.locate(sc.text, sc.offset(i)+pos)
	}
	return err
}

// offset finds where statement i begins. The same text may stand in a comment before it, which the
// parser would not take for a statement.
func (sc *script) offset(i int) parser.Pos {
	for from := 0; ; from++ {
		at := strings.Index(sc.text[from:], sc.parts[i])
		if at < 0 {
			return 0
		}
		from += at
		if before := splitScript(sc.text[:from+len(sc.parts[i])]); len(before) == i+1 &&
			before[i] == sc.parts[i] {
			return parser.Pos(from)
		}
	}
}
