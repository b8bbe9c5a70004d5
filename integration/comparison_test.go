package integration

import (
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/internal/testenv"
)

// A comparison asks eventfold and SQLite random statements.
type comparison struct {
	numbers    uint64 // which random numbers of the seed: each comparison has its own
	statements int
	events     int // of a store
	every      int // so many statements have the same store; 0 for 2,500
	next       func(*generator) statement
	withRows   int // this share of the statements, in percent, must have rows
	refused    int // and this share may be refused by both; 0 for 10 %

	// open makes the two; nil for newPair. It may change their events.
	open func(t *testing.T, g *generator, events int) asked
}

// asked are the two that are compared: ours may be a transaction.
type asked struct {
	ours   querier
	theirs *sql.DB
	much   querier // is asked what ours has too little memory for; nil for nobody
}

// maxDifferences are enough.
const maxDifferences = 10

// run compares. It is the only loop that does.
func (c comparison) run(t *testing.T) {
	t.Helper()
	testenv.WithoutRace(t)
	g := &generator{Rand: rand.New(rand.NewPCG(testenv.Seed(t), c.numbers)), events: c.events}
	if c.open == nil {
		c.open = func(t *testing.T, g *generator, events int) asked {
			p := newPair(t, g.Rand, events)
			return asked{ours: p.ours, theirs: p.theirs}
		}
	}
	c.every, c.refused = cmp.Or(c.every, 2500), cmp.Or(c.refused, 10)
	var two asked
	var counts compared
	for done := 0; done < c.statements && counts.differ < maxDifferences; done++ {
		if done%c.every == 0 {
			two = c.open(t, g, c.events)
			g.times = timesOf(t, two.theirs)
		}
		counts.add(two.compare(t, c.next(g)))
	}
	assert.Less(t, counts.refused, max(2, c.statements*c.refused/100), "most statements must run")
	assert.GreaterOrEqual(t, counts.rows*100, c.withRows*c.statements, "many must have rows")
	t.Logf("%d statements, %d with rows, %d refused by both, %d that SQLite alone refuses, %d joins too large, %d differences",
		c.statements, counts.rows, counts.refused, counts.slips, g.thrown, counts.differ)
}

// compared counts what became of statements.
type compared struct{ rows, refused, slips, differ int }

func (c *compared) add(d compared) {
	c.rows += d.rows
	c.refused += d.refused
	c.slips += d.slips
	c.differ += d.differ
}

// compare asks both the statement. If their answers are not alike, as far as it says what is to be
// alike, the test fails, but goes on.
func (a asked) compare(t *testing.T, s statement) (c compared) {
	t.Helper()
	if s.before != "" {
		_, err := a.theirs.Exec(s.before)
		require.NoError(t, err, s.before)
	}
	asks := s.theirs
	if asks == "" {
		asks = s.sql
	}
	ours, ourErr := declared(a.ours, s.sql)
	if a.much != nil && errors.Is(ourErr, eventfold.ErrMemory) {
		ours, ourErr = declared(a.much, s.sql)
	}
	theirs, theirErr := query(a.theirs, asks)
	c.rows = min(len(ours), 1)
	switch {
	case ourErr != nil && theirErr != nil:
		c.refused = 1
	case ourErr == nil && theirErr != nil && s.slip != "" && strings.Contains(theirErr.Error(), s.slip):
		c.slips = 1
	case !s.alike(ours, ourErr, theirs, theirErr):
		c.differ = 1
		t.Errorf("%s\nSQLite is asked: %s %s\nours:   %v %v\nSQLite: %v %v",
			s.sql, s.before, asks, clip(ours), ourErr, clip(theirs), theirErr)
	}
	return c
}

// alike reports whether two answers are.
func (s *statement) alike(ours [][]any, ourErr error, theirs [][]any, theirErr error) bool {
	if s.loose {
		onlyReals(ours)
		onlyReals(theirs)
	}
	if !s.ordered {
		sortRows(ours)
		sortRows(theirs)
	}
	return (ourErr == nil) == (theirErr == nil) && (ourErr != nil || equal(ours, theirs))
}

// TestSameAnswersAsSQLite runs random statements of all kinds on both. EVENTFOLD_STATEMENTS sets how
// many.
func TestSameAnswersAsSQLite(t *testing.T) {
	n := budget(t, "EVENTFOLD_STATEMENTS", 5000, 120_000)
	comparison{numbers: 1, statements: n, events: 400, next: (*generator).anything}.run(t)
}

// TestSameJoinsAsSQLite runs joins of many tables, in random orders, on both. EVENTFOLD_JOINS sets
// how many.
func TestSameJoinsAsSQLite(t *testing.T) {
	n := budget(t, "EVENTFOLD_JOINS", 1500, 20_000)
	comparison{numbers: 5, statements: n, events: 120, next: (*generator).joins, withRows: 33}.run(t)
}

// TestSameAnswersInATransaction runs random statements in a transaction that has appended events:
// they are rows without a position, an id and a time.
func TestSameAnswersInATransaction(t *testing.T) {
	next := func(g *generator) statement {
		s := g.statement()
		for strings.Contains(s.sql, "LIMIT") || strings.Contains(s.sql, " OVER ") {
			s = g.statement() // which rows come first is not said where positions are NULL
		}
		s.ordered = false // by positions, say, which are NULL
		return s
	}
	open := func(t *testing.T, g *generator, events int) asked {
		p := newPair(t, g.Rand, events)
		tx, err := p.ours.Begin()
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, tx.Rollback()) })
		appendEvents(t, tx, g.Rand, events/2)
		copyEvents(t, tx, p.theirs)
		return asked{ours: tx, theirs: p.theirs}
	}
	n := budget(t, "EVENTFOLD_STATEMENTS", 5000, 50_000) / 5
	comparison{numbers: 3, statements: n, events: 150, next: next, open: open}.run(t)
}

// asOf makes the statement one as of a position, of a pair that bindTo has made ready.
func (s statement) asOf(position int) statement {
	if s.theirs == "" {
		s.theirs = s.sql
	}
	s.sql = fmt.Sprintf("%s AS OF POSITION %d", s.sql, position)
	s.before = fmt.Sprintf("UPDATE bound SET p = %d", position)
	return s
}

// bindTo lets SQLite see the events up to a position alone.
func bindTo(t *testing.T, p pair) {
	t.Helper()
	dropStreams(t, p.theirs)
	_, err := p.theirs.Exec(`ALTER TABLE "$all" RENAME TO log;
		CREATE TABLE bound (p INTEGER); INSERT INTO bound VALUES (999999);
		CREATE VIEW "$all" AS SELECT * FROM log WHERE position <= (SELECT p FROM bound)`)
	require.NoError(t, err)
	makeStreams(t, p.theirs)
}

// TestSameAnswersAsOf compares AS OF POSITION p with SQLite's answer from the rows up to p.
func TestSameAnswersAsOf(t *testing.T) {
	open := func(t *testing.T, g *generator, events int) asked {
		p := newPair(t, g.Rand, events)
		bindTo(t, p)
		return asked{ours: p.ours, theirs: p.theirs}
	}
	next := func(g *generator) statement { return g.statement().asOf(g.IntN(g.events+1) - 1) }
	n := budget(t, "EVENTFOLD_STATEMENTS", 5000, 50_000) / 5
	comparison{numbers: 4, statements: n, events: 250, next: next, open: open}.run(t)
}
