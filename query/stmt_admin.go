package query

import (
	"context"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// What a store may offer besides the contract.
type (
	// A verifier checks every byte of itself.
	verifier interface {
		Verify(ctx context.Context) (engine.VerifyReport, error)
	}
	// A backuper copies itself into a directory.
	backuper interface {
		Backup(ctx context.Context, dir string) (engine.BackupReport, error)
	}
)

// Offers finds T among a store and what it wraps.
func Offers[T any](store engine.Store) (found T, ok bool) {
	for {
		if found, ok = store.(T); ok {
			return found, true
		}
		wrapper, wraps := store.(interface{ Unwrap() engine.Store })
		if !wraps {
			return found, false
		}
		store = wrapper.Unwrap()
	}
}

// A verifyStatement is VERIFY.
type verifyStatement struct {
	copiedArguments
	pos parser.Pos
}

var verifyColumns = []Column{{"result", Text, false}, {"events", Integer, false},
	{"segments", Integer, false}, {"frames", Integer, false},
	{"bytes", Integer, false}, {"indexes", Integer, false}, {"damaged_indexes", Integer, false}}

func (v *verifyStatement) query(ctx context.Context, s *Session, _ []expr.Argument) (Rows, error) {
	store, ok := Offers[verifier](s.Store)
	if !ok {
		return nil, errorf(Unsupported, v.pos, "this store cannot verify itself")
	}
	r, err := store.Verify(ctx)
	if err != nil {
		return nil, err
	}
	row := []value.Value{value.OfText("ok")}
	for _, n := range []int64{int64(r.Head.Position), int64(r.Segments), r.Frames, r.Bytes,
		int64(r.Indexes), int64(len(r.BadIndexes))} {
		row = append(row, value.OfInt(n))
	}
	return listRows(verifyColumns, [][]value.Value{row}, s), nil
}

func (v *verifyStatement) exec(
	ctx context.Context, s *Session, args []expr.Argument,
) (Outcome, error) {
	_, err := v.query(ctx, s, args)
	return Outcome{LastPosition: engine.NoPosition}, err
}

// A backupStatement is BACKUP TO.
type backupStatement struct {
	copiedArguments
	to  *expr.Expr
	pos parser.Pos
}

var backupColumns = []Column{{"events", Integer, false}, {"segments", Integer, false},
	{"copied_bytes", Integer, false}, {"linked_bytes", Integer, false}}

func (c *statementCompiler) backup(st *parser.Backup) (statement, []Column, bool, error) {
	to, err := c.constants("BACKUP TO", onlyConstants).compile(st.To)
	return &backupStatement{to: to, pos: st.Pos}, backupColumns, true, err
}

func (b *backupStatement) query(
	ctx context.Context, s *Session, args []expr.Argument,
) (Rows, error) {
	if err := s.mayBackUp(b.pos); err != nil {
		return nil, err
	}
	store, ok := Offers[backuper](s.Store)
	if !ok {
		return nil, errorf(Unsupported, b.pos, "this store cannot back itself up")
	}
	en := newWriteExecution(ctx, s, args).env(nil)
	defer execOf(en).end()
	dir := b.to.Eval(en)
	if en.Err != nil {
		return nil, en.Err
	}
	if dir.Kind != value.String || dir.S == "" {
		return nil, errorf(BadArgument, b.pos, "BACKUP TO takes the path of a directory")
	}
	r, err := store.Backup(ctx, dir.S)
	if err != nil {
		return nil, err
	}
	row := []value.Value{value.OfInt(int64(r.Head.Position)), value.OfInt(int64(r.Segments)),
		value.OfInt(r.Copied), value.OfInt(r.Linked)}
	return listRows(backupColumns, [][]value.Value{row}, s), nil
}

// mayBackUp refuses BACKUP TO where nothing may be written, unless the connection was given the
// right to it.
func (s *Session) mayBackUp(pos parser.Pos) error {
	where := ""
	switch {
	case s.Settings.Backup:
	case s.Settings.ReadOnly:
		where = "the store is open for reading only"
	case s.Tx != nil && s.Tx.readOnly:
		where = "the transaction is read-only"
	}
	if where == "" {
		return nil
	}
	return errorf(ReadOnly, pos,
		"BACKUP TO writes files, and %s; backup=allow in the data source name allows it", where)
}

func (b *backupStatement) exec(
	ctx context.Context, s *Session, args []expr.Argument,
) (Outcome, error) {
	_, err := b.query(ctx, s, args)
	return Outcome{LastPosition: engine.NoPosition}, err
}
