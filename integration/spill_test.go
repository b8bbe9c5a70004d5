package integration

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
)

// A littleMemory asks a connection whose queries hold so little that most go on in a file, and another
// one where that cannot help.
type littleMemory struct{ little, much *sql.DB }

// Query implements querier, as does Exec.
func (l littleMemory) Query(text string, args ...any) (*sql.Rows, error) {
	if _, err := l.little.Exec(text, args...); err != nil {
		return l.much.Query(text, args...)
	}
	return l.little.Query(text, args...)
}

func (l littleMemory) Exec(text string, args ...any) (sql.Result, error) {
	return l.much.Exec(text, args...)
}

// TestSameAnswersInLittleMemory runs random statements, joins and aggregates on both, of which ours
// must use temporary files.
func TestSameAnswersInLittleMemory(t *testing.T) {
	dir, spilled := t.TempDir(), int64(0)
	open := func(t *testing.T, g *generator, events int) asked {
		p := newPair(t, g.Rand, events)
		little := eventfold.OpenDB(eventfold.Config{Store: p.store, QueryMemory: 12 << 10, SpillDir: dir})
		t.Cleanup(func() {
			var bytes int64
			require.NoError(t, little.QueryRow(`SELECT value FROM $stats WHERE name = 'spilled_bytes'`).Scan(&bytes))
			spilled += bytes
			assert.NoError(t, little.Close())
		})
		return asked{littleMemory{little, p.ours}, p.theirs}
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
