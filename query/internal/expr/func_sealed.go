package expr

import (
	"context"
	"strings"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/jsonpath"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A Keyring opens sealed values, and destroys keys. Errors of its own are not *fault.Error.
type Keyring interface {
	// Reveal opens the JSON of a value that stands at a path of an event of a type in a stream. What
	// is not sealed it returns as it is. ok is false if the value's subject is forgotten.
	Reveal(ctx context.Context, stream, typ, path, sealed string) (plain string, ok bool, err error)
	// Blind returns a text that is the same for the same value and does not tell it.
	Blind(ctx context.Context, value string) (string, error)
	// Forget destroys the key of a subject; erased is false if that was done before. told is what a
	// store is to tell of it, and of the keys of the subject that were destroyed before, in the order
	// of their revisions: always the same for the same key, but for the Actor, which is not set. If
	// erased is set, an error means that told is not known.
	Forget(ctx context.Context, subject, reason string) (erased bool, told []engine.Erasure, err error)
}

// sealedFunctions need the keyring of the connection. What they give is never computed before the
// statement runs.
var sealedFunctions = []function{
	{name: "reveal", min: 1, max: 4, compile: compileReveal},
	{name: "blind", min: 1, max: 1, typ: value.Text, compile: compileBlind},
}

// NoKeyring is the error of a statement that needs a keyring where there is none.
func NoKeyring(what string, pos parser.Pos) error {
	return &fault.Error{Kind: fault.Unsupported, Pos: pos, Msg: what + " needs a keyring, and the connection has none",
		Hint: "open the database with eventfold.OpenDB(eventfold.Config{Path: ..., Keyring: keys})"}
}

// KeyringFailed is the error of a statement whose keyring has failed, or does not have a key.
func KeyringFailed(err error, pos parser.Pos) error {
	return &fault.Error{Kind: fault.KeyringFailed, Pos: pos, Err: err,
		Msg: strings.TrimPrefix(err.Error(), "eventfold: ")}
}

// keyring returns the keyring of the connection, nil if there is none.
func (e *Env) keyring() Keyring {
	if e.Exec == nil {
		return nil
	}
	return e.Exec.Keyring()
}

// revealHint says how reveal is written.
const revealHint = "write reveal(payload->'$.path'), or reveal(value, stream, type, 'path') where " +
	"the value is not in an event's own column"

// placeSealed gives reveal(payload->'$.path') the other arguments that tell where the value stands:
// the stream and the type of the same row, and the path. The path is what is written in the
// statement and never what is in the data, which somebody may have put there.
func placeSealed(e *parser.Call) ([]parser.Expr, error) {
	column, path, ok := sealedPath(e.Args[0])
	if !ok {
		return nil, &fault.Error{Kind: fault.BadArgument, Pos: e.Args[0].At(), Hint: revealHint,
			Msg: "reveal() must know at which path of payload or metadata the value stands"}
	}
	beside := func(name string) parser.Expr {
		return &parser.Column{Pos: e.Pos, Table: column.Table, Name: name}
	}
	return []parser.Expr{e.Args[0], beside("stream"), beside("type"), &parser.Literal{Pos: e.Pos, Value: path}}, nil
}

// sealedPath returns the column and the path of payload->'$.path' and its like.
func sealedPath(e parser.Expr) (column *parser.Column, path string, ok bool) {
	steps := &jsonpath.Path{}
	for column == nil {
		var label parser.Expr
		switch x := e.(type) {
		case *parser.Column:
			column = x
			continue
		case *parser.Binary:
			if x.Op != parser.OpArrow && x.Op != parser.OpArrowText {
				return nil, "", false
			}
			e, label = x.X, x.Y
		case *parser.Call:
			if x.Name != "json_extract" || len(x.Args) != 2 {
				return nil, "", false
			}
			e, label = x.Args[0], x.Args[1]
		default:
			return nil, "", false
		}
		p, ok := sealedStep(label)
		if !ok {
			return nil, "", false
		}
		steps = p.Then(steps)
	}
	one := !steps.FromEnd() && !steps.Many()
	switch parser.LowerASCII(column.Name) {
	case "payload":
		return column, steps.String(), one
	case "metadata":
		return column, "metadata" + steps.String(), one
	}
	return nil, "", false
}

// sealedStep returns the path of a label that is written in the statement.
func sealedStep(label parser.Expr) (*jsonpath.Path, bool) {
	l, ok := label.(*parser.Literal)
	if !ok || l.Value == nil {
		return nil, false
	}
	x, err := literal(l)
	if err != nil {
		return nil, false
	}
	p, err := jsonpath.ParseLabel(x.value)
	return p, err == nil
}

// compileReveal compiles reveal(value, stream, type, path). It is not constant, whatever its
// arguments are, so that no plan and no EXPLAIN has its result.
func compileReveal(_ *compiler, _ *function, args []*Expr, pos parser.Pos) (*Expr, error) {
	if len(args) != 4 {
		return nil, &fault.Error{Kind: fault.BadArgument, Pos: pos, Hint: revealHint,
			Msg: "reveal() takes 1 argument or 4"}
	}
	f := &function{fn: revealFunc, nulls: nullOwn}
	x := f.plain(args, pos)
	x.Clock, x.Reveals = usesClock(f, args), true
	return x, nil
}

// openCost is how many times its own length a sealed value takes while it is opened.
const openCost = 4

// revealFunc opens a value. It is NULL if the value's subject is forgotten, and what is not sealed is
// given as it is.
func revealFunc(e *Env, args []value.Value) value.Value {
	v := args[0]
	if v.Kind == value.Null || e.Err != nil {
		return null
	}
	keys := e.keyring()
	if keys == nil {
		return e.Fail(NoKeyring("reveal()", -1))
	}
	for _, a := range args[1:] {
		if a.Kind == value.Null {
			return null
		}
	}
	if v.Kind != value.String && v.Kind != value.Bytes {
		return v
	}
	if !e.Hold(openCost * len(v.S)) {
		return null
	}
	plain, ok, err := keys.Reveal(e.Ctx, args[1].Text(), args[2].Text(), args[3].Text(), v.S)
	switch {
	case err != nil:
		return e.failKeyring(err)
	case !ok:
		return null
	case plain == v.S && !v.JSON: // a text that was never sealed
		return v
	case !e.Room(len(plain)):
		return null
	}
	return jsonpath.Raw(plain).SQL()
}

// failKeyring is Fail for an error of the keyring. That of a context stays itself.
func (e *Env) failKeyring(err error) value.Value {
	if ended := e.Ctx.Err(); ended != nil {
		return e.Fail(ended)
	}
	return e.Fail(KeyringFailed(err, -1))
}

// compileBlind compiles blind(value), which is computed once if the value is constant, but not
// before the statement runs.
func compileBlind(_ *compiler, f *function, args []*Expr, pos parser.Pos) (*Expr, error) {
	x := (&function{f1: blindFunc, typ: f.typ}).plain(args, pos)
	x.keyed = true
	return finish(x, args...), nil
}

func blindFunc(e *Env, v value.Value) value.Value {
	keys := e.keyring()
	if keys == nil {
		return e.Fail(NoKeyring("blind()", -1))
	}
	text, err := keys.Blind(e.Ctx, v.Text())
	if err != nil {
		return e.failKeyring(err)
	}
	return value.OfText(text)
}
