package eventfold_test

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/enginetest"
	"github.com/eventfold/eventfold/internal/testenv"
)

// A liveQuery is a SELECT over groups that can be followed, and asked for at a position.
type liveQuery struct {
	keys   int    // how many of the columns are the key; they come first
	once   string // DISTINCT, or nothing
	list   string // of the columns
	from   string // FROM and WHERE
	groups string // GROUP BY and HAVING
	change bool   // change is selected
}

// follow is the statement that follows. Its last columns are as_of, change if it is selected, and
// progress.
func (q *liveQuery) follow() string {
	pseudo := ", as_of"
	if q.change {
		pseudo += ", change"
	}
	return "SELECT " + q.once + q.list + pseudo + q.from + q.groups + " FOLLOW PROGRESS"
}

// plain is the query at a position.
func (q *liveQuery) plain() string {
	return "SELECT " + q.once + q.list + q.from + q.groups + " AS OF POSITION ?"
}

var (
	liveKeys = []string{
		"type", "stream", "{k}", "{n} % 3", "tags", "substr(stream, 2, 1)", "type COLLATE NOCASE", "{k} IS NULL",
	}
	liveAggregates = []string{
		"COUNT(*)", "COUNT(payload)", "SUM({n})", "AVG({n})", "MIN({n})", "MAX({k})", "FIRST({k})", "LAST({n})",
		"TOTAL({n})", "COUNT(DISTINCT {k})", "GROUP_CONCAT({k})", "GROUP_CONCAT(DISTINCT {k})",
		"COUNT(*) FILTER (WHERE {n} > 4)", "SUM(redacted)", "MAX(version)", "MIN(position)",
		"MAX(position) - MIN(position)", "LAST(payload)", "COUNT(*) * 2 + COUNT({n})", "COUNT(*) / 4",
		"MAX(metadata)", "FIRST(type)", "MEDIAN({n})", "MAX_BY({k}, {n})", "JSON_GROUP_ARRAY({k} ORDER BY {n})",
		"GROUP_CONCAT({k} ORDER BY {n} DESC)", "VAR_POP({n})", "COUNT(DISTINCT {k}, {n})", "BOOL_OR({n} > 5)",
	}
	liveConditions = []string{
		"", "", "", "type IN ('A', 'b')", "{n} > 3", "{n} IS NOT NULL", "{k} = 'x' OR type = 'C'", "stream LIKE 's%'",
		"HAS(tags, 't1')", "position >= 7", "position < 40", "stream <> '$erasures'", "NOT redacted", "version > 1",
	}
	liveHavings = []string{"COUNT(*) > 2", "SUM({n}) % 2 = 0", "MAX({n}) < 7", "COUNT({n}) < 4",
		"MIN(position) > 5", "COUNT(DISTINCT {k}) > 1"}
)

// someOf returns n of the texts, in any order.
func someOf(rng *rand.Rand, texts []string, n int) (list []string) {
	for _, i := range rng.Perm(len(texts))[:n] {
		list = append(list, texts[i])
	}
	return list
}

// randomLiveQuery makes a query over $all, a stream, or a projection of one of them.
func randomLiveQuery(rng *rand.Rand) *liveQuery {
	q := &liveQuery{change: rng.IntN(3) > 0}
	keys := someOf(rng, liveKeys, rng.IntN(3))
	if len(keys) > 0 && rng.IntN(5) == 0 {
		q.once, q.list = "DISTINCT ", strings.Join(keys, ", ")
	} else {
		results := append(slices.Clone(keys), someOf(rng, liveAggregates, 1+rng.IntN(3))...)
		q.list = strings.Join(results, ", ")
		if len(keys) > 0 {
			q.groups = " GROUP BY " + strings.Join(keys, ", ")
		}
		if q.change && rng.IntN(3) == 0 {
			q.groups += " HAVING " + liveHavings[rng.IntN(len(liveHavings))]
		}
	}
	q.keys = len(keys)
	table := []string{"$all", "$all", "$all", "s1"}[rng.IntN(4)]
	k, n := "payload->>'$.k'", "payload->>'$.n'"
	if rng.IntN(4) == 0 {
		table = "(SELECT " + k + " AS k, " + n + " AS n, stream, type, tags, payload, redacted, version, position, " +
			"metadata FROM " + table + ") AS x"
		k, n = "k", "n"
	}
	q.from = " FROM " + table
	if c := liveConditions[rng.IntN(len(liveConditions))]; c != "" {
		q.from += " WHERE " + c
	}
	named := strings.NewReplacer("{k}", k, "{n}", n)
	q.list, q.from, q.groups = named.Replace(q.list), named.Replace(q.from), named.Replace(q.groups)
	return q
}

// A liveFold is what whoever reads the rows has made of them.
type liveFold struct {
	rows map[string]string // by the key
	asOf int64             // the position that they are of
}

// A liveFollower follows a query and folds its rows.
type liveFollower struct {
	*liveQuery
	liveFold
	told   *sql.Rows
	since  int64 // the position that it went on from, -2 for none
	unsure bool  // content was erased since then: the first batch need not tell insert and update apart
	begun  int64 // the head then
	ended  bool  // its range has ended, and with it what it is told of erasures
}

// read folds the rows of batches, up to a position.
func (f *liveFollower) read(to int64) error {
	columns, err := f.told.Columns()
	if err != nil {
		return err
	}
	pseudo := 1
	if f.change {
		pseudo = 2
	}
	for f.asOf < to {
		values, err := nextValues(f.told, len(columns))
		if err == sql.ErrNoRows && strings.Contains(f.from, "position < 40") {
			f.ended = true
			return nil
		}
		if err != nil {
			return err
		}
		if values[len(values)-1] == int64(1) {
			f.asOf, f.unsure = values[len(values)-1-pseudo].(int64), false
			continue
		}
		if err := f.fold(values[:len(values)-1]); err != nil {
			return err
		}
	}
	return nil
}

// nextValues reads a row of so many columns. It returns sql.ErrNoRows at the end.
func nextValues(rows *sql.Rows, n int) ([]any, error) {
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return nil, err
		}
		return nil, sql.ErrNoRows
	}
	values, targets := make([]any, n), make([]any, n)
	for i := range values {
		targets[i] = &values[i]
	}
	return values, rows.Scan(targets...)
}

// fold takes over a row, which must say what is so, and something new.
func (f *liveFollower) fold(values []any) error {
	change := ""
	if f.change {
		change, values = values[len(values)-1].(string), values[:len(values)-1]
	}
	values = values[:len(values)-1]
	key, row := rowText(values[:f.keys]), rowText(values)
	old, known := f.rows[key]
	switch {
	case f.unsure:
	case change != "" && known == (change == "insert"):
		return fmt.Errorf("%s of %s, which was told before: %t", change, row, known)
	case known && old == row && change != "delete":
		return fmt.Errorf("%s was told twice", row)
	}
	if f.rows[key] = row; change == "delete" {
		delete(f.rows, key)
	}
	return nil
}

func rowText(values []any) string {
	var b strings.Builder
	for _, v := range values {
		switch v := v.(type) {
		case []byte:
			fmt.Fprintf(&b, "[]byte %q|", v)
		case time.Time:
			b.WriteString(v.Format(time.RFC3339Nano) + "|")
		default:
			fmt.Fprintf(&b, "%T %v|", v, v)
		}
	}
	return b.String()
}

// check compares the fold with the query at its position.
func (f *liveFollower) check(db *sql.DB) error {
	rows, err := db.Query(f.plain(), f.asOf)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	want := map[string]string{}
	for {
		values, err := nextValues(rows, len(columns))
		if err == sql.ErrNoRows {
			break
		}
		if err != nil {
			return err
		}
		want[rowText(values[:f.keys])] = rowText(values)
	}
	if !maps.Equal(want, f.rows) {
		return fmt.Errorf("as of %d\ngot  %v\nwant %v", f.asOf, f.rows, want)
	}
	return nil
}

// A liveLog is a log that grows at random, with those who follow it.
type liveLog struct {
	t         *testing.T
	ctx       context.Context
	rng       *rand.Rand
	db        *sql.DB // which is followed
	plain     *sql.DB // the same, as it is
	followers []*liveFollower
	erased    []int64 // where erasures were told of
	compared  int
	refused   int // what an erasure has ended, as it must

	query func(*rand.Rand) *liveQuery // makes those that are followed
}

// follow begins to follow a query, or goes on with what was folded of it.
func (l *liveLog) follow(q *liveQuery, from *liveFold) *liveFollower {
	f := &liveFollower{liveQuery: q, since: -2, begun: l.head(), liveFold: liveFold{rows: map[string]string{}, asOf: -2}}
	text, args := q.follow(), []any(nil)
	if from != nil {
		f.liveFold, f.since = liveFold{maps.Clone(from.rows), from.asOf}, from.asOf
		f.unsure = l.erasedAfter(from.asOf)
		text, args = text+" AFTER ?", []any{from.asOf}
	}
	var err error
	f.told, err = l.db.QueryContext(l.ctx, text, args...)
	require.NoError(l.t, err, text)
	return f
}

func (l *liveLog) erasedAfter(p int64) bool {
	return slices.ContainsFunc(l.erased, func(at int64) bool { return at > p })
}

// append appends some events, one or several transactions of them.
func (l *liveLog) append() {
	for range 1 + l.rng.IntN(3) {
		tx := begin(l.t, l.db, nil)
		for range 1 + l.rng.IntN(4) {
			var payload any
			switch l.rng.IntN(8) {
			case 0:
			case 1:
				payload = []byte{0xff, byte(l.rng.IntN(3))}
			default:
				payload = fmt.Sprintf(`{"k": %s, "n": %d}`, []string{`"x"`, `"y"`, `"Y"`, `"z"`, `""`, "3"}[l.rng.IntN(6)], l.rng.IntN(9))
			}
			mustExec(l.t, tx, `INSERT INTO ? (type, payload, metadata, tags) VALUES (?, ?, ?, ?)`,
				fmt.Sprintf("s%d", l.rng.IntN(4)), []string{"A", "a", "b", "C"}[l.rng.IntN(4)], payload,
				fmt.Sprintf(`{"m": %d}`, l.rng.IntN(3)), []string{"[]", `["t1"]`, `["t1", "t2"]`}[l.rng.IntN(3)])
		}
		if l.rng.IntN(4) == 0 {
			l.erase(tx)
		}
		require.NoError(l.t, tx.Commit())
	}
	if l.rng.IntN(5) == 0 {
		l.erase(l.db)
	}
	for i := range l.erased {
		if l.erased[i] < 0 {
			l.erased[i] = l.head() - 1
		}
	}
}

// erase erases some events. Where it is told of is known when it is committed.
func (l *liveLog) erase(db interface {
	Exec(string, ...any) (sql.Result, error)
}) {
	mustExec(l.t, db, `ERASE FROM $all WHERE stream NOT LIKE '$%' AND position % ? = 0 AND position >= ? REASON 'x'`,
		2+l.rng.IntN(9), l.rng.IntN(30))
	l.erased = append(l.erased, -1)
}

func (l *liveLog) head() int64 { return one[int64](l.t, l.db, `SELECT COUNT(*) FROM $all`) }

// step appends, and has some of the followers read: the others are slow.
func (l *liveLog) step() error {
	l.append()
	for i, f := range l.followers {
		if l.rng.IntN(3) == 0 {
			continue
		}
		before := liveFold{maps.Clone(f.rows), f.asOf}
		err := l.readOne(f)
		if err == errRefused {
			l.refused++
			f.told.Close()
			l.followers[i] = l.follow(f.liveQuery, nil)
			continue
		}
		if err != nil {
			return fmt.Errorf("%s\nAFTER %d: %w", f.follow(), f.since, err)
		}
		if f.ended {
			f.told.Close()
			l.followers[i] = l.follow(l.query(l.rng), nil)
			continue
		}
		if before.asOf >= -1 && l.rng.IntN(4) == 0 { // it begins again where it was before
			f.told.Close()
			l.followers[i] = l.follow(f.liveQuery, &before)
		}
	}
	return nil
}

var errRefused = fmt.Errorf("the rows cannot tell what was erased")

func (l *liveLog) readOne(f *liveFollower) error {
	before := f.asOf
	err := f.read(l.head() - 1)
	if err != nil && len(l.erased) > 0 && (!f.change && strings.Contains(err.Error(), "because something was erased") ||
		f.since > -2 && l.erasedAfter(f.since) && strings.Contains(err.Error(), "begin again without AFTER")) {
		return errRefused
	}
	if err == nil && (!f.ended || f.asOf > before && f.begun < 40) {
		err = f.check(l.plain)
		l.compared++
	}
	return err
}

// runLive compares what followers of random queries have folded with the queries, as often as is
// wanted. They follow what wrap makes of each store.
func runLive(
	t *testing.T, rng *rand.Rand, wanted int, wrap func(*enginetest.Model) engine.Store,
) (compared, refused int, err error) {
	for compared < wanted && err == nil {
		m := enginetest.NewModel()
		l := &liveLog{t: t, rng: rng, query: randomLiveQuery, plain: eventfold.OpenDB(eventfold.Config{Store: m}),
			db: eventfold.OpenDB(eventfold.Config{Store: wrap(m)})}
		err = l.run(12)
		compared, refused = compared+l.compared, refused+l.refused
		assert.NoError(t, l.db.Close())
		assert.NoError(t, l.plain.Close())
		assert.NoError(t, m.Close())
	}
	return compared, refused, err
}

// run runs so many steps, with two followers of each of up to five queries.
func (l *liveLog) run(steps int) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	l.ctx = ctx
	defer func() {
		for _, f := range l.followers {
			f.told.Close()
		}
	}()
	for range steps {
		if len(l.followers) < 10 {
			q := l.query(l.rng)
			l.followers = append(l.followers, l.follow(q, nil), l.follow(q, nil))
		}
		if err := l.step(); err != nil {
			return err
		}
	}
	return nil
}

// TestFollowersOfGroupsFoldToTheQuery: whatever is appended and erased, however slowly somebody
// reads and wherever he goes on, the rows that he was told of are those of the query at the position
// that they are of.
func TestFollowersOfGroupsFoldToTheQuery(t *testing.T) {
	wanted := 2000 + int(98_000*testenv.Torture())
	rng := rand.New(rand.NewPCG(testenv.Seed(t), 0))
	compared, refused, err := runLive(t, rng, wanted, func(m *enginetest.Model) engine.Store { return m })
	require.NoError(t, err)
	t.Logf("%d comparisons; %d followers were ended by an erasure that their rows could not tell", compared, refused)
}

// A brokenStore breaks a rule of following, as a fault in how groups are kept up to date would.
type brokenStore struct {
	*enginetest.Model
	rule string
}

func (s brokenStore) ReadIndex() engine.ReadIndex { return brokenIndex{s.Model.ReadIndex(), s.rule} }

type brokenIndex struct {
	engine.ReadIndex
	rule string
}

func (i brokenIndex) At(h engine.Position) engine.ReadIndex {
	return brokenIndex{i.ReadIndex.At(h), i.rule}
}

func (i brokenIndex) StreamVersion(stream string) (engine.Version, bool, error) {
	if i.rule == "erasures are not seen" && stream == engine.ErasuresStream {
		return 0, false, nil
	}
	return i.ReadIndex.StreamVersion(stream)
}

func (i brokenIndex) Scan(ctx context.Context, what engine.Filter, columns engine.ColumnSet) engine.BatchCursor {
	goesOn := what.From > 0 && what.Streams == nil
	if goesOn && i.rule == "an event is left out" {
		what.From++
	}
	c := i.ReadIndex.Scan(ctx, what, columns)
	if goesOn && i.rule == "a batch is applied twice" {
		return &twiceCursor{BatchCursor: c}
	}
	return c
}

// A twiceCursor gives every batch twice.
type twiceCursor struct {
	engine.BatchCursor
	again *engine.Batch
}

func (c *twiceCursor) Next() *engine.Batch {
	if b := c.again; b != nil {
		c.again = nil
		return b
	}
	c.again = c.BatchCursor.Next()
	return c.again
}

// TestWhoKeepsGroupsWronglyIsCaught: the comparison notices a follower that applies a batch twice,
// one that leaves an event out, and one that does not look at erasures.
func TestWhoKeepsGroupsWronglyIsCaught(t *testing.T) {
	for _, rule := range []string{"a batch is applied twice", "an event is left out", "erasures are not seen"} {
		rng := rand.New(rand.NewPCG(1, 2))
		compared, _, err := runLive(t, rng, 500, func(m *enginetest.Model) engine.Store { return brokenStore{m, rule} })
		assert.Error(t, err, rule)
		t.Logf("%s: caught by comparison %d", rule, compared)
	}
}
