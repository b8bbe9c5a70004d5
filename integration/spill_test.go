package integration

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine/vfs"
)

// TestSameAnswersInLittleMemory runs random statements, joins and aggregates on both, of which ours
// must use temporary files; where even these do not help, one with much memory answers.
func TestSameAnswersInLittleMemory(t *testing.T) {
	dir, spilled := t.TempDir(), int64(0)
	if space, err := vfs.OS().Space(dir); err == nil && space.Free >= 0 && space.Free < 1<<30 {
		t.Skip("temporary files leave a part of the disk free, and this one has little more")
	}
	open := func(t *testing.T, g *generator, events int) asked {
		p := newPair(t, g.Rand, events)
		little := eventfold.OpenDB(eventfold.Config{Store: p.store, QueryMemory: 12 << 10, SpillDir: dir})
		t.Cleanup(func() {
			var bytes int64
			require.NoError(t, little.QueryRow(`SELECT value FROM $stats WHERE name = 'spilled_bytes'`).Scan(&bytes))
			spilled += bytes
			assert.NoError(t, little.Close())
		})
		return asked{ours: little, theirs: p.theirs, much: p.ours}
	}
	next := func(g *generator) statement {
		switch g.IntN(4) {
		case 0:
			return g.joins()
		case 1:
			return g.aggregates()
		}
		return g.anything()
	}
	n := budget(t, "EVENTFOLD_STATEMENTS", 5000, 60_000) / 10
	t.Cleanup(func() { assert.True(t, t.Skipped() || spilled > 0, "no statement has used a file") })
	comparison{numbers: 17, statements: n, events: 200, next: next, open: open, withRows: 33}.run(t)
}
