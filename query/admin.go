package query

import (
	"context"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
)

// What a store may offer besides the contract.
type (
	// A verifier checks every byte of itself.
	verifier interface {
		Verify(ctx context.Context) error
	}
	// A backuper copies itself into a directory.
	backuper interface {
		BackupTo(ctx context.Context, dir string) error
	}
)

// A verifyStatement is VERIFY.
type verifyStatement struct{ pos parser.Pos }

var verifyColumns = []Column{{"result", Text, false}, {"events", Integer, false}}

func (v *verifyStatement) query(ctx context.Context, s *Session, _ []Value) (Rows, error) {
	store, ok := s.Store.(verifier)
	if !ok {
		return nil, errorf(Unsupported, v.pos, "this store cannot verify itself")
	}
	head := s.Store.ReadIndex().Head()
	if err := store.Verify(ctx); err != nil {
		return nil, err
	}
	return listRows(verifyColumns, [][]Value{{textValue("ok"), intValue(int64(head))}}, s), nil
}

func (v *verifyStatement) exec(ctx context.Context, s *Session, args []Value) (Outcome, error) {
	_, err := v.query(ctx, s, args)
	return Outcome{LastPosition: engine.NoPosition}, err
}

// A backupStatement is BACKUP TO.
type backupStatement struct {
	to  *expr
	pos parser.Pos
}

func (c *compilation) backup(st *parser.Backup) (planner, []Column, bool, error) {
	to, err := c.constants("BACKUP TO").compile(st.To)
	return &backupStatement{to: to, pos: st.Pos}, nil, false, err
}

func (b *backupStatement) query(ctx context.Context, s *Session, args []Value) (Rows, error) {
	return queryNothing(b, ctx, s, args)
}

func (b *backupStatement) exec(ctx context.Context, s *Session, args []Value) (Outcome, error) {
	none := Outcome{LastPosition: engine.NoPosition}
	store, ok := s.Store.(backuper)
	if !ok {
		return none, errorf(Unsupported, b.pos, "this store cannot back itself up")
	}
	en := newWriteExecution(ctx, s, args).env(nil)
	dir := b.to.eval(en)
	if en.err != nil {
		return none, en.err
	}
	if dir.kind != String || dir.s == "" {
		return none, errorf(BadArgument, b.pos, "BACKUP TO takes the path of a directory")
	}
	return none, store.BackupTo(ctx, dir.s)
}
