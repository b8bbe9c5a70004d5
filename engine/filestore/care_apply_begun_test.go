package filestore

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
)

// A replica in a directory in which somebody was killed while he applied a ledger does the rest of that,
// once, also beside erasures that its log tells of; the log is told of those alone.
func TestAReplicaFinishesWhatALedgerHasBegunToErase(t *testing.T) {
	for _, own := range []bool{false, true} {
		fsys := vfs.NewMem()
		s := openStore(t, "/store", Options{FS: fsys})
		marked := appendMarked(t, s, 30)
		store := s.view.Load().store
		require.NoError(t, s.Close())
		begun := &format.Erased{Store: store, Events: marked[:5]}
		require.NoError(t, writeErasedFile(fsys, "/store", begun))

		r, err := OpenReplica(t.Context(), "/store", Options{FS: fsys})
		require.NoError(t, err)
		defer r.Close()
		if own {
			told := engine.Erasure{ID: uuid.UUID{1}, Events: marked[5:], Reason: "r"}
			e := told.NewEvents()[0].Unplaced(engine.ErasuresStream)
			e.Position, e.Version, e.RecordedAt = 30, 0, time.Now()
			e.ID = uuid.UUID{2}
			require.NoError(t, r.Apply(t.Context(), []engine.Event{e}, [32]byte{1}))
		}
		done, err := r.CarryOut(t.Context())
		require.NoError(t, err)
		f, err := readErasedFile(fsys, "/store")
		require.NoError(t, err)
		assert.True(t, f.Done)
		if !own {
			assert.Empty(t, done.Events)
			assert.Nil(t, r.Store().view.Load().erasures)
			continue
		}
		require.Len(t, done.Events, 1)
		own := engine.ErasureDone{Erasure: uuid.UUID{1}}
		assert.Equal(t, own.NewEvent(), done.Events[0])
		assert.Empty(t, filesWith(t, fsys, "/store", marker))
		requireErased(t, r.Store(), marked)
	}
}

// A replica that goes on for years does not keep what it knows of erasures that are done.
func TestAReplicaForgetsErasuresThatAreDone(t *testing.T) {
	r, err := OpenReplica(t.Context(), "/store", Options{FS: vfs.NewMem()})
	require.NoError(t, err)
	defer r.Close()
	const rounds = 20
	apply := func(p engine.Position, v engine.Version, stream string, what engine.NewEvent) {
		e := what.Unplaced(stream)
		e.Position, e.Version, e.RecordedAt, e.ID = p, v, time.Now(), uuid.New()
		require.NoError(t, r.Apply(t.Context(), []engine.Event{e}, [32]byte{byte(p), byte(p >> 8)}))
	}
	for i := range engine.Position(rounds) {
		apply(3*i, engine.Version(i), "s", engine.NewEvent{Type: "t", Payload: []byte(marker)})
		told := engine.Erasure{ID: uuid.New(), Events: engine.Spans{{From: 3 * i, To: 3*i + 1}}, Reason: "r"}
		apply(3*i+1, engine.Version(2*i), engine.ErasuresStream, told.NewEvents()[0])
		done, err := r.CarryOut(t.Context())
		require.NoError(t, err)
		apply(3*i+2, engine.Version(2*i+1), engine.ErasuresStream, done.Events[0])
	}
	x := r.Store().eraser
	assert.LessOrEqual(t, len(x.clean), 2)
	assert.LessOrEqual(t, len(x.replaced), 2)
}
