package retain_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine/enginetest"
	"github.com/eventfold/eventfold/retain"
)

// A clock tells what time it is in a store.
type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

// A clocked Model tells the driver its time.
type clocked struct {
	*enginetest.Model
	clock *clock
}

func (c clocked) Now() time.Time { return c.clock.now() }

// open opens a database on a Model with a clock that the test moves.
func open(t *testing.T) (*sql.DB, *clock) {
	t.Helper()
	c := &clock{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	m := enginetest.NewModelWith(c.now)
	db := eventfold.OpenDB(eventfold.Config{Store: clocked{m, c}, Actor: "retention"})
	t.Cleanup(func() { assert.NoError(t, errors.Join(db.Close(), m.Close())) })
	return db, c
}

func parse(t *testing.T, rules string) *retain.Policy {
	t.Helper()
	p, err := retain.Parse([]byte(`{"rules": [` + rules + `]}`))
	require.NoError(t, err)
	return p
}

func exec(t *testing.T, db retain.DB, text string, args ...any) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), text, args...)
	require.NoError(t, err)
}

// kept lists the positions of events that have their content, but for those that tell of erasures.
func kept(t *testing.T, db *sql.DB) (list []int64) {
	t.Helper()
	rows, err := db.Query(`SELECT position FROM $all WHERE NOT redacted AND stream <> '$erasures'`)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var p int64
		require.NoError(t, rows.Scan(&p))
		list = append(list, p)
	}
	require.NoError(t, rows.Err())
	return list
}

// fill appends ten events, a day apart: even ones are Viewed in visit-1, odd ones Added in cart-1
// and cart-2.
func fill(t *testing.T, db *sql.DB, c *clock) {
	t.Helper()
	for i := range 10 {
		stream, typ := "visit-1", "Viewed"
		if i%2 == 1 {
			stream, typ = fmt.Sprintf("cart-%d", 1+i/2%2), "Added"
		}
		exec(t, db, `INSERT INTO ? (type, payload) VALUES (?, ?)`, stream, typ, fmt.Sprintf(`{"n": %d}`, i))
		c.Time = c.Add(24 * time.Hour)
	}
}

// rules are rules over what fill appends, with the positions of what they name.
var rules = []struct {
	name, rule string
	gone       []int64
}{
	{"an age", `"older_than": "5d"`, []int64{0, 1, 2, 3, 4}},
	{"an age to the second", `"older_than": "119h"`, []int64{0, 1, 2, 3, 4, 5}},
	{"an age of ISO 8601", `"older_than": "P1W"`, []int64{0, 1, 2}},
	{"nothing is as old", `"older_than": "P1M"`, nil},
	{"a type", `"types": ["Viewed"], "older_than": "5d"`, []int64{0, 2, 4}},
	{"types", `"types": ["Viewed", "Added", "None"], "older_than": "8d"`, []int64{0, 1}},
	{"a category", `"categories": ["cart"], "older_than": "1h"`, []int64{1, 3, 5, 7, 9}},
	{"categories", `"categories": ["cart", "visit"], "older_than": "9d"`, []int64{0}},
	{"a category is no prefix", `"categories": ["car"], "older_than": "1h"`, nil},
	{"a pattern", `"streams": "cart-[13]", "older_than": "1h"`, []int64{1, 5, 9}},
	{"a pattern knows the case", `"streams": "CART-*", "older_than": "1h"`, nil},
	{"a pattern with a sign of LIKE", `"streams": "cart_*", "older_than": "1h"`, nil},
	{"a pattern that is a name", `"streams": "cart-2", "older_than": "1h"`, []int64{3, 7}},
	{"a number of each stream", `"keep_last": 2`, []int64{0, 1, 2, 4}},
	{"one of each stream", `"keep_last": 1`, []int64{0, 1, 2, 3, 4, 5, 6}},
	{"more than there are", `"keep_last": 5`, nil},
	{"a number of some streams", `"keep_last": 1, "categories": ["cart"]`, []int64{1, 3, 5}},
	{"a number and an age", `"keep_last": 1, "older_than": "6d"`, []int64{0, 1, 2, 3}},
	{"a number and a type", `"keep_last": 3, "types": ["Viewed"], "streams": "v*"`, []int64{0, 2}},
}

func TestARuleErasesWhatItNames(t *testing.T) {
	for _, tt := range rules {
		t.Run(tt.name, func(t *testing.T) {
			db, c := open(t)
			fill(t, db, c)
			p := parse(t, `{"name": "r", "erase": "content", "reason": "why", `+tt.rule+`}`)
			plan, err := p.Plan(t.Context(), db)
			require.NoError(t, err)
			want := retain.Outlook{Rule: "r", Events: int64(len(tt.gone))}
			if n := len(tt.gone); n > 0 {
				day := func(i int64) time.Time { return time.Date(2026, 1, 1+int(i), 0, 0, 0, 0, time.UTC) }
				want.Oldest, want.Newest = day(tt.gone[0]), day(tt.gone[n-1])
			}
			assert.Equal(t, []retain.Outlook{want}, plan)
			assert.Len(t, kept(t, db), 10, "a plan erases nothing")

			done, err := p.Run(t.Context(), db)
			require.NoError(t, err)
			assert.Equal(t, []retain.Erased{{Rule: "r", Events: int64(len(tt.gone))}}, done)
			var left []int64
			for i := range int64(10) {
				if slices.Contains(tt.gone, i) {
					continue
				}
				left = append(left, i)
			}
			assert.Equal(t, left, kept(t, db))

			var head int64
			require.NoError(t, db.QueryRow(`SELECT COUNT(*) FROM $all`).Scan(&head))
			done, err = p.Run(t.Context(), db)
			require.NoError(t, err)
			assert.Equal(t, []retain.Erased{{Rule: "r"}}, done, "a second time there is nothing left")
			var again int64
			require.NoError(t, db.QueryRow(`SELECT COUNT(*) FROM $all`).Scan(&again))
			assert.Equal(t, head, again, "and nothing is written")
		})
	}
}

// TestTheStoresOwnStreamsAreKept: what nobody can erase is neither planned nor tried.
func TestTheStoresOwnStreamsAreKept(t *testing.T) {
	db, c := open(t)
	for range 3 {
		exec(t, db, `CREATE OR REPLACE VIEW v AS SELECT `+fmt.Sprint(c.Unix())+` AS n`)
		c.Time = c.Add(24 * time.Hour)
	}
	exec(t, db, `INSERT INTO a (type) VALUES ('x')`)
	c.Time = c.Add(24 * time.Hour)
	for _, rule := range []string{`"older_than": "1h"`, `"keep_last": 1`} {
		p := parse(t, `{"name": "r", "erase": "content", "reason": "why", `+rule+`}`)
		plan, err := p.Plan(t.Context(), db)
		require.NoError(t, err)
		done, err := p.Run(t.Context(), db)
		require.NoError(t, err)
		assert.Equal(t, plan[0].Events, done[0].Events, rule)
		assert.LessOrEqual(t, done[0].Events, int64(1), rule)
	}
	var n int
	require.NoError(t, db.QueryRow("SELECT n FROM views.v").Scan(&n))
}

func TestTwoRulesOverTheSameEvents(t *testing.T) {
	db, c := open(t)
	fill(t, db, c)
	p := parse(t, `{"name": "views", "types": ["Viewed"], "older_than": "5d", "erase": "content", "reason": "a"},
		{"name": "all", "older_than": "7d", "erase": "content", "reason": "b"}`)
	plan, err := p.Plan(t.Context(), db)
	require.NoError(t, err)
	assert.Equal(t, []int64{3, 3}, []int64{plan[0].Events, plan[1].Events}, "each by itself")
	done, err := p.Run(t.Context(), db)
	require.NoError(t, err)
	assert.Equal(t, []retain.Erased{{Rule: "views", Events: 3}, {Rule: "all", Events: 1}}, done)
	var reasons, actor string
	require.NoError(t, db.QueryRow(`SELECT GROUP_CONCAT(reason, ','), MAX(actor) FROM $erasures`).Scan(&reasons, &actor))
	assert.Equal(t, []string{"a,b", "retention"}, []string{reasons, actor})
}

func TestARunInATransactionIsAllOrNothing(t *testing.T) {
	db, c := open(t)
	fill(t, db, c)
	p := parse(t, `{"name": "r", "keep_last": 1, "erase": "content", "reason": "a"}`)
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	done, err := p.Run(t.Context(), tx)
	require.NoError(t, err)
	assert.EqualValues(t, 7, done[0].Events)
	require.NoError(t, tx.Rollback())
	assert.Len(t, kept(t, db), 10)
}

func TestALargeRuleWorksInPortions(t *testing.T) {
	db, c := open(t)
	for i := range 250 {
		exec(t, db, `INSERT INTO ? (type) VALUES ('X'), ('Y'), ('X')`, fmt.Sprintf("s-%d", i))
	}
	c.Time = c.Add(time.Hour)
	db.SetMaxOpenConns(1)
	p := parse(t, `{"name": "r", "keep_last": 1, "erase": "content", "reason": "a"}`)
	done, err := p.Run(t.Context(), db)
	require.NoError(t, err)
	assert.EqualValues(t, 500, done[0].Events)
	assert.Len(t, kept(t, db), 250)
	var erasures int
	require.NoError(t, db.QueryRow(`SELECT COUNT(*) FROM $erasures`).Scan(&erasures))
	assert.Equal(t, 3, erasures, "of a hundred streams each")
}

func TestAnErrorNamesItsRule(t *testing.T) {
	db, c := open(t)
	fill(t, db, c)
	p := parse(t, `{"name": "first", "older_than": "9d", "erase": "content", "reason": "a"},
		{"name": "second", "older_than": "1d", "erase": "content", "reason": "b"}`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var rule *retain.RuleError
	_, err := p.Run(ctx, db)
	require.ErrorAs(t, err, &rule)
	assert.Equal(t, "first", rule.Rule)
	assert.ErrorIs(t, err, context.Canceled)
	_, err = p.Plan(ctx, db)
	require.ErrorAs(t, err, &rule)

	tx, err := db.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	require.NoError(t, err)
	plan, err := p.Plan(t.Context(), tx)
	require.NoError(t, err, "a plan writes nothing")
	assert.EqualValues(t, 1, plan[0].Events)
	_, err = p.Run(t.Context(), tx)
	assert.ErrorIs(t, err, eventfold.ErrReadOnly)
	require.NoError(t, tx.Rollback())
}

func TestEveryRunsUntilItsContextEnds(t *testing.T) {
	db, c := open(t)
	fill(t, db, c)
	p := parse(t, `{"name": "r", "older_than": "5d", "erase": "content", "reason": "a"}`)
	ctx, cancel := context.WithCancel(t.Context())
	var erased []int64
	err := p.Every(ctx, db, time.Millisecond, func(done []retain.Erased, err error) error {
		require.NoError(t, err)
		erased = append(erased, done[0].Events)
		if len(erased) == 3 {
			cancel()
		}
		c.Time = c.Add(24 * time.Hour)
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, []int64{5, 1, 1}, erased)

	stop := errors.New("stop")
	err = p.Every(t.Context(), db, time.Hour, func([]retain.Erased, error) error { return stop })
	assert.ErrorIs(t, err, stop)
	assert.Error(t, p.Every(t.Context(), db, 0, nil))
	require.NoError(t, db.Close())
	var rule *retain.RuleError
	assert.ErrorAs(t, p.Every(t.Context(), db, time.Hour, nil), &rule, "without a listener the first error ends it")
}
