package enginetest

import (
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
)

// defining is the append of a definition.
func defining(name, text string, expect ...engine.Expectation) engine.Append {
	return engine.Append{
		Expect: expect,
		Define: &engine.Definition{Name: name, Kind: "view", Text: text, Actor: "enginetest"},
	}
}

// definitions: each is told by one event of the store's own stream, which can be expected to be at a
// version as any other.
func (r *run) definitions() {
	first := defining("v", "SELECT 1 < 2", engine.NoStream)
	done := r.must(one("a", "x"), first, one("a", "y"))
	require.Len(r, done.Events, 3)
	e := r.all()[1]
	assert.Equal(r, []any{engine.ViewsStream, engine.ViewCreatedType, engine.Version(0)},
		[]any{e.Stream, e.Type, e.Version})
	assert.JSONEq(r, `{"view": "v", "kind": "view", "definition": "SELECT 1 < 2", "actor": "enginetest"}`,
		string(e.Payload))
	told, ok, err := engine.ParseDefinition(e.Type, e.Payload)
	require.NoError(r, err)
	assert.Equal(r, *first.Define, told)
	assert.True(r, ok)

	var conflict *engine.ConflictError
	_, err = r.store.Append(r.ctx, defining("w", "SELECT 2", engine.NoStream))
	require.ErrorAs(r, err, &conflict)
	assert.Equal(r, []any{engine.ViewsStream, engine.Version(0)},
		[]any{conflict.Checks[0].Stream, conflict.Checks[0].Actual})

	r.must(defining("v", "", engine.Exact(0)))
	e = r.all()[3]
	assert.Equal(r, []any{engine.ViewDroppedType, engine.Version(1)}, []any{e.Type, e.Version})
	told, ok, err = engine.ParseDefinition(e.Type, e.Payload)
	require.NoError(r, err)
	assert.Equal(r, []any{"v", "", true}, []any{told.Name, told.Text, ok})
	_, ok, err = engine.ParseDefinition("$view-of-tomorrow", []byte("?"))
	assert.False(r, ok)
	assert.NoError(r, err)
	assert.Equal(r, engine.Append{Define: first.Define, Expect: first.Expect}, first, "the caller's is as it was")
}

// notDefinable: what cannot be a definition is refused before anything is written, and so is what
// would write to the store's own streams in another way.
func (r *run) notDefinable() {
	r.must(defining("v", "SELECT 1"))
	long := strings.Repeat("x", engine.MaxStreamSize+1)
	tests := map[string]engine.Append{
		"no name":                 defining("", "SELECT 1"),
		"a long name":             defining(long, "SELECT 1"),
		"a name of the store":     defining("$v", "SELECT 1"),
		"a name that is no text":  defining("\xff", "SELECT 1"),
		"a text that is none":     defining("w", "\xff"),
		"a text with a NUL":       defining("w", "a\x00"),
		"no kind":                 {Define: &engine.Definition{Name: "w", Text: "SELECT 1"}},
		"with a stream":           {Stream: "a", Define: &engine.Definition{Name: "w", Kind: "view"}},
		"with its stream":         {Stream: engine.ViewsStream, Define: &engine.Definition{Name: "w", Kind: "view"}},
		"with events":             {Events: one("a", "x").Events, Define: &engine.Definition{Name: "w", Kind: "view"}},
		"an event of the stream":  one(engine.ViewsStream, engine.ViewCreatedType),
		"a guard of the stream":   {Stream: engine.ViewsStream, Expect: []engine.Expectation{engine.Exact(0)}},
		"an event of another one": one("$mine", "x"),
	}
	for name, a := range tests {
		var invalid *engine.InvalidError
		_, err := r.store.Append(r.ctx, one("a", "x"), a)
		require.ErrorAs(r, err, &invalid, name)
		assert.Equal(r, 1, invalid.Append, name)
	}
	assert.Len(r, r.all(), 1)
	if _, ok := r.store.(engine.Eraser); !ok {
		return
	}
	var invalid *engine.InvalidError
	both := erasing(engine.Span{From: 0, To: 1})
	_, err := r.store.Append(r.ctx, both)
	require.ErrorAs(r, err, &invalid, "a definition cannot be erased")
	both.Define = defining("w", "SELECT 1").Define
	_, err = r.store.Append(r.ctx, both)
	require.ErrorAs(r, err, &invalid, "an erasure and a definition at once")
	assert.Len(r, r.all(), 1)
}
