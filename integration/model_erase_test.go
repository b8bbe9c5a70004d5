package integration

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// redact takes their content from events of the log.
func redact(log []modelEvent, positions []int) {
	for _, p := range positions {
		log[p].redacted, log[p].n = true, -1
	}
}

// told returns the log with the events that tell of so many erasures, and that they are done.
func told(log []modelEvent, erasures int) []modelEvent {
	for i := range 2 * erasures {
		e := modelEvent{stream: "$erasures", version: lastVersion(log, "$erasures") + 1, typ: "$erased"}
		if i >= erasures {
			e.typ = "$erasure-done"
		}
		log = append(log, e)
	}
	return log
}

// Erase erases, outside a transaction and inside.
func (m *machine) Erase(t *rapid.T) {
	n := rapid.IntRange(0, 9).Draw(t, "n")
	where := []struct {
		sql     string
		matches func(e *modelEvent) bool
	}{
		{"$all WHERE type = 'Opened'", func(e *modelEvent) bool { return e.typ == "Opened" }},
		{"$all WHERE HAS(tags, 'x:1') OR stream = '$erasures'", func(e *modelEvent) bool { return e.tag == "x:1" }},
		{fmt.Sprintf("$all WHERE payload->>'$.n' > %d", n), func(e *modelEvent) bool { return e.n > n }},
		{`"a-1" WHERE TRUE`, func(e *modelEvent) bool { return e.stream == "a-1" }},
		{`"b" WHERE version % 2 = 0`, func(e *modelEvent) bool { return e.stream == "b" && e.version%2 == 0 }},
		{`"nobody" WHERE TRUE`, func(*modelEvent) bool { return false }},
		{"$all WHERE TRUE", func(*modelEvent) bool { return true }},
	}[rapid.IntRange(0, 6).Draw(t, "where")]
	log, committed, db := m.log, len(m.log), execer(m.db)
	if m.tx != nil && rapid.Bool().Draw(t, "in the transaction") {
		var ok bool
		log, _, ok = m.stage(m.before, m.buffer)
		require.True(t, ok)
		committed, db = m.snapshot, m.tx
	}
	erase := []int{}
	for i := range log[:committed] {
		if e := &log[i]; where.matches(e) && !e.redacted && e.stream != "$erasures" {
			erase = append(erase, i)
		}
	}
	result, err := db.Exec("ERASE FROM " + where.sql + " REASON 'random'")
	require.NoError(t, err)
	affected, err := result.RowsAffected()
	require.NoError(t, err)
	require.EqualValues(t, len(erase), affected, where.sql)
	switch {
	case len(erase) == 0:
	case db == execer(m.tx):
		m.buffer = append(m.buffer, insert{erase: erase})
		m.results = append(m.results, result)
	default:
		m.log = slices.Clone(m.log)
		redact(m.log, erase)
		m.log = told(m.log, 1)
	}
}

// TestModelWithErasures is TestModel with ERASE, on a store that is done with it at once.
func TestModelWithErasures(t *testing.T) {
	checkRapid(t, func(t *rapid.T) {
		m := &machine{erases: true}
		m.open(t)
		defer func() {
			if m.tx != nil {
				require.NoError(t, m.tx.Rollback())
			}
			require.NoError(t, m.db.Close())
			require.NoError(t, m.store.Close())
		}()
		actions := m.actions()
		actions["erase"] = m.Erase
		t.Repeat(actions)
	})
}
