package filestore_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/engine/vfs"
)

// appliedEvents are saltedEvents with more behind the erasure.
func appliedEvents() (appends []filestore.Applied) {
	all := saltedEvents()
	at := all[0][0].RecordedAt
	for n := range 5 {
		all = append(all, []engine.Event{{Position: engine.Position(4 + n), Version: engine.Version(n), Stream: "later",
			ID: uuid.UUID{14: 1, 15: byte(n)}, Type: "t", Payload: []byte("x"), RecordedAt: at}})
	}
	for n, events := range all {
		appends = append(appends, filestore.Applied{Events: events, Salt: [32]byte{byte(n)}})
	}
	return appends
}

// A replica that is given appends all at once has the log of one that was given them one by one, the
// erasures among them included.
func TestAppendsThatAreAppliedAtOnceAreTheSameLog(t *testing.T) {
	one, other := openDecided(t, vfs.NewMem()).replica, openDecided(t, vfs.NewMem()).replica
	defer one.Close()
	defer other.Close()
	appends := appliedEvents()
	for _, a := range appends {
		require.NoError(t, one.Apply(t.Context(), a.Events, a.Salt))
	}
	done, err := other.ApplyAll(t.Context(), appends)
	require.NoError(t, err)
	assert.Equal(t, len(appends), done)
	want, err := one.Store().Head()
	require.NoError(t, err)
	got, err := other.Store().Head()
	require.NoError(t, err)
	assert.Equal(t, want, got)
	c := other.Store().ReadIndex().ReadAll(t.Context(), 1, engine.Forwards)
	defer c.Close()
	require.True(t, c.Next())
	assert.True(t, c.Event().Redacted, "what is erased is hidden")
	_, err = other.Store().Verify(t.Context())
	require.NoError(t, err)
}

// The first append that cannot be there ends it: what stands before it is written, nothing behind it is,
// and the count says which one it is.
func TestTheAppendThatCannotBeAppliedIsKnown(t *testing.T) {
	wrong := map[string]func(a *filestore.Applied){
		"a version that is left out": func(a *filestore.Applied) { a.Events[0].Version++ },
		"a position":                 func(a *filestore.Applied) { a.Events[0].Position++ },
		"an id twice":                func(a *filestore.Applied) { a.Events[0].ID = uuid.UUID{15: 1} },
		"an unknown own stream":      func(a *filestore.Applied) { a.Events[0].Stream = "$else" },
		"no event of erasures":       func(a *filestore.Applied) { a.Events[0].Stream = engine.ErasuresStream },
	}
	for name, spoil := range wrong {
		r := openDecided(t, vfs.NewMem()).replica
		appends := appliedEvents()
		spoil(&appends[5])
		done, err := r.ApplyAll(t.Context(), appends)
		assert.Error(t, err, name)
		assert.Equal(t, 5, done, name)
		assert.Equal(t, appliedEvents()[5].Events[0].Position, r.Store().ReadIndex().Head(), name)
		done, err = r.ApplyAll(t.Context(), appliedEvents()[5:])
		assert.NoError(t, err, name)
		assert.Equal(t, 3, done, name)
		require.NoError(t, r.Close())
	}
}
