package query

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
	"github.com/eventfold/eventfold/parser"
)

// A conditions makes random conditions out of what may become bounds and what may not.
type conditions struct{ *rand.Rand }

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

func (c conditions) one(depth int) string {
	if depth > 0 {
		switch c.IntN(6) {
		case 0:
			return "(" + c.one(depth-1) + " OR " + c.one(depth-1) + ")"
		case 1:
			return "NOT (" + c.one(depth-1) + ")"
		case 2, 3:
			return c.one(depth-1) + " AND " + c.one(depth-1)
		}
	}
	op := pick(c.Rand, "=", "<", "<=", ">", ">=", "<>")
	number := func() string {
		return pick(c.Rand, fmt.Sprint(c.IntN(320)-10), fmt.Sprintf("%d.5", c.IntN(320)-10),
			fmt.Sprintf("'%d'", c.IntN(300)), "'x'", "NULL", "1e30", "-1e30", "x'00'", fmt.Sprint(c.IntN(10)), "?")
	}
	stream := func() string {
		return pick(c.Rand, fmt.Sprintf("'order-%06d'", c.IntN(32)), "'nothing'", "NULL", "5",
			"'ORDER-000001' COLLATE NOCASE", "'order-' || '000002'")
	}
	kind := func() string {
		return pick(c.Rand, fmt.Sprintf("'OrderEvent%02d'", c.IntN(13)), "'orderevent03' COLLATE NOCASE", "NULL", "x'00'")
	}
	at := func() string {
		return fmt.Sprintf("'2026-01-01 00:0%d:%02d'", c.IntN(7), c.IntN(60))
	}
	return pick(c.Rand,
		func() string { return "position " + op + " " + number() },
		func() string { return number() + " " + op + " position" },
		func() string { return "version " + op + " " + number() },
		func() string { return "position BETWEEN " + number() + " AND " + number() },
		func() string { return "position NOT BETWEEN " + number() + " AND " + number() },
		func() string { return "position IN (" + number() + ", " + number() + ", " + number() + ")" },
		func() string { return "version NOT IN (" + number() + ", 3)" },
		func() string { return "(position = " + number() + " OR position = " + number() + ")" },
		func() string { return "stream " + op + " " + stream() },
		func() string { return "stream IN (" + stream() + ", " + stream() + ")" },
		func() string {
			return "(HAS(tags, " + pick(c.Rand, "'vip'", "'eu'", "NULL",
				"'nobody'") + ") OR type = " + kind() + " AND stream = " + stream() + ")"
		},
		func() string {
			return "(type IN (" + kind() + ", " + kind() + ") AND HAS(tags, 'vip') AND version < 4 OR stream = " + stream() + " OR HAS(tags, 'eu') AND HAS(tags, 'vip'))"
		},
		func() string {
			return "stream LIKE '" + pick(c.Rand, "order-00000%", "ORDER-00001_", "%2", "2024-%", "order-000003") + "'"
		},
		func() string { return "type " + op + " " + kind() },
		func() string { return "type IN (" + kind() + ", " + kind() + ")" },
		func() string { return "(type = " + kind() + " OR " + kind() + " = type)" },
		func() string { return "recorded_at " + op + " " + at() },
		func() string { return "recorded_at BETWEEN " + at() + " AND " + at() },
		func() string { return "HAS(tags, '" + pick(c.Rand, "even", "odd", "third", "none") + "')" },
		func() string {
			return "id = '" + pick(c.Rand, "x", testID(c.IntN(300)), strings.ToUpper(testID(10))) + "'"
		},
		func() string { return "id IN ('" + testID(c.IntN(300)) + "', '" + testID(c.IntN(300)) + "', NULL)" },
		func() string { return "payload->>'$.n' " + op + " " + number() },
		func() string { return pick(c.Rand, "1", "0", "NULL", "?", "1 = 1") },
	)()
}

func testID(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012x", n) }

// TestBoundsDropNothing: a condition on a table gives the same rows whether it is pushed into the
// scan or evaluated above it, where a sub-query keeps it from being pushed.
func TestBoundsDropNothing(t *testing.T) {
	testenv.WithoutRace(t)
	clock := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	store := openStore(t, filestore.Options{Now: func() time.Time { return clock }})
	s := &Session{Store: store}
	for i := range 300 {
		clock = clock.Add(time.Second)
		tags := []string{`["even"]`, `["odd"]`, `["even", "third"]`}[i%3]
		exec(t, s, "INSERT INTO ? (type, payload, id, tags) VALUES (?, ?, ?, ?)", fmt.Sprintf("order-%06d", i%31),
			fmt.Sprintf("OrderEvent%02d", i%12), fmt.Sprintf(`{"n": %d}`, i), testID(i), tags)
	}
	c := conditions{rand.New(rand.NewPCG(1, 2))}
	passed := 0
	for range 800 {
		where := c.one(2)
		arg := c.IntN(300)
		run := func(from, tail string) ([]string, error) {
			text := "SELECT position FROM " + from + " WHERE " + where + tail
			parsed, err := parser.Parse(text)
			require.NoError(t, err, text)
			args := make([]any, parsed.Params.Count)
			for i := range args {
				args[i] = int64(arg)
			}
			return tryRows(context.Background(), s, text, args...)
		}
		want, err := run("(SELECT * FROM $all)", "")
		require.NoError(t, err, where)
		got, err := run("$all", "")
		require.NoError(t, err, where)
		require.Equal(t, want, got, where)
		if len(want) > 0 {
			passed++
		}
		backwards, err := run("$all", " ORDER BY position DESC")
		require.NoError(t, err, where)
		slices.Reverse(backwards)
		require.Equal(t, want, backwards, where)
		limited, err := run("$all", " LIMIT 3")
		require.NoError(t, err, where)
		require.Equal(t, want[:min(3, len(want))], limited, where)
		counted, err := tryCount(s, where, arg)
		require.NoError(t, err, where)
		require.Equal(t, fmt.Sprint(len(want)), counted, where)
	}
	require.Greater(t, passed, 100, "conditions that some rows satisfy")
}

func tryCount(s *Session, where string, arg int) (string, error) {
	text := "SELECT COUNT(*) FROM $all WHERE " + where
	parsed, err := parser.Parse(text)
	if err != nil {
		return "", err
	}
	args := make([]any, parsed.Params.Count)
	for i := range args {
		args[i] = int64(arg)
	}
	rows, err := tryRows(context.Background(), s, text, args...)
	if err != nil {
		return "", err
	}
	return rows[0], nil
}
