package integration

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine/enginetest"
)

// A modelEvent is an event as the model has it; its position is its place in the model's log.
type modelEvent struct {
	stream  string
	version int
	typ     string
	n       int // payload {"n": n}
	tag     string
	id      string // "" if the store assigns one

	redacted bool // n is -1
}

func (e *modelEvent) payload() string { return fmt.Sprintf(`{"n": %d}`, e.n) }

// shown is the payload as a SELECT gives it.
func (e *modelEvent) shown() string {
	if e.redacted {
		return "<nil>"
	}
	return e.payload()
}

func (e *modelEvent) tags() any {
	if e.tag == "" {
		return nil
	}
	return []string{e.tag}
}

// An insert is one INSERT: events of one stream, or of several if stream is "", with what it
// expects. Without events it is an EXPECT, or an ERASE of positions.
type insert struct {
	stream string
	events []modelEvent
	expect expectation
	erase  []int
}

// An expectation is text for EXPECTING and the same thing as a predicate of the model.
type expectation struct {
	sql   string
	args  []any
	holds func(log []modelEvent, version int) bool // log: with the events of the transaction's earlier statements
	pins  bool                                     // if it holds, the stream's version is known
	code  eventfold.Code
}

// A machine runs random operations on a store and on the model, and compares.
type machine struct {
	dir string
	db  *sql.DB
	log []modelEvent

	erases bool // the store is one that does so at once
	store  *enginetest.Model

	tx       *sql.Tx
	before   []modelEvent // the log when the transaction began
	snapshot int          // its length
	buffer   []insert
	results  []sql.Result // by insert of the buffer
	marks    []mark
}

// A mark is a savepoint: the length of the buffer when it was set.
type mark struct {
	name   string
	length int
}

var (
	streams   = []string{"a-1", "a-2", "b"}
	typeNames = []string{"Opened", "Closed", "Moved"}
	tagNames  = []string{"", "x:1", "x:2"}
)

func (m *machine) version(stream string, length int) int {
	return lastVersion(m.log[:length], stream)
}

func (m *machine) open(t *rapid.T) {
	if m.erases {
		m.store = enginetest.NewModel()
		m.db = eventfold.OpenDB(eventfold.Config{Store: m.store})
		return
	}
	db, err := sql.Open("eventfold", m.dir)
	require.NoError(t, err)
	m.db = db
}

func (m *machine) drawEvents(t *rapid.T, stream string) []modelEvent {
	events := make([]modelEvent, rapid.IntRange(1, 3).Draw(t, "events"))
	withIDs := rapid.Bool().Draw(t, "ids")
	for i := range events {
		of := stream
		if of == "" {
			of = rapid.SampledFrom(streams).Draw(t, "of stream")
		}
		events[i] = modelEvent{stream: of, typ: rapid.SampledFrom(typeNames).Draw(t, "type"),
			n:   rapid.IntRange(0, 9).Draw(t, "n"),
			tag: rapid.SampledFrom(tagNames).Draw(t, "tag")}
		if withIDs {
			events[i].id = uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id")).String()
		}
	}
	return events
}

func (m *machine) drawExpectation(t *rapid.T, stream string) expectation {
	version := func(sql string, pins bool, holds func(actual int) bool, args ...any) expectation {
		return expectation{sql: sql, args: args, code: eventfold.ErrVersionConflict, pins: pins,
			holds: func(_ []modelEvent, actual int) bool { return holds(actual) }}
	}
	kind := rapid.IntRange(0, 6).Draw(t, "expect")
	if stream == "" {
		kind = 6
	}
	switch kind {
	case 0:
		return version("ANY", false, func(int) bool { return true })
	case 1:
		return version("NO STREAM", true, func(v int) bool { return v == -1 })
	case 2:
		return version("STREAM EXISTS", false, func(v int) bool { return v >= 0 })
	case 3, 4:
		want := max(-1, m.version(stream, len(m.log))+rapid.IntRange(-1, 3).Draw(t, "off by"))
		return version("VERSION ?", true, func(v int) bool { return v == want }, want)
	}
	return m.drawCondition(t)
}

func (m *machine) drawCondition(t *rapid.T) expectation {
	after := rapid.IntRange(-1, len(m.log)-1).Draw(t, "after")
	if m.tx != nil { // what a transaction knows is its snapshot
		after = min(after, m.snapshot-1)
	}
	n := rapid.IntRange(0, 9).Draw(t, "n")
	where := []struct {
		sql     string
		matches func(e *modelEvent) bool
	}{
		{"$all WHERE type = 'Opened'", func(e *modelEvent) bool { return e.typ == "Opened" }},
		{"$all WHERE HAS(tags, 'x:1')", func(e *modelEvent) bool { return e.tag == "x:1" }},
		{fmt.Sprintf("$all WHERE payload->>'$.n' > %d", n), func(e *modelEvent) bool { return e.n > n }},
		{"\"b\" WHERE type LIKE 'M%'", func(e *modelEvent) bool { return e.stream == "b" && e.typ == "Moved" }},
		{fmt.Sprintf("$all WHERE stream LIKE 'a-%%' AND (type IN ('Closed', 'Moved') OR payload->>'$.n' = %d)", n),
			func(e *modelEvent) bool {
				return strings.HasPrefix(e.stream, "a-") && (e.typ != "Opened" || e.n == n)
			}},
		{"$all", func(*modelEvent) bool { return true }},
	}[rapid.IntRange(0, 5).Draw(t, "condition")]
	return expectation{sql: "NO EVENT FROM " + where.sql + " AFTER ?", args: []any{after},
		code: eventfold.ErrConditionFailed,
		holds: func(log []modelEvent, _ int) bool {
			for i := after + 1; i < len(log); i++ {
				if where.matches(&log[i]) {
					return false
				}
			}
			return true
		}}
}

type execer interface {
	Exec(query string, args ...any) (sql.Result, error)
	Query(query string, args ...any) (*sql.Rows, error)
}

func (in *insert) statement() (text string, args []any) {
	if len(in.events) == 0 {
		return fmt.Sprintf(`EXPECT "%s" %s`, in.stream, in.expect.sql), in.expect.args
	}
	rows := make([]string, len(in.events))
	for i := range in.events {
		e := &in.events[i]
		rows[i] = "(?, ?, ?, ?)"
		if in.stream == "" {
			rows[i] = "(?, ?, ?, ?, ?)"
			args = append(args, e.stream)
		}
		var id any
		if e.id != "" {
			id = e.id
		}
		args = append(args, e.typ, e.payload(), e.tags(), id)
	}
	into := `"` + in.stream + `" (type, payload, tags, id)`
	if in.stream == "" {
		into = "$all (stream, type, payload, tags, id)"
	}
	text = fmt.Sprintf(`INSERT INTO %s VALUES %s EXPECTING %s`, into, strings.Join(rows, ", "), in.expect.sql)
	return text, append(args, in.expect.args...)
}

// stage returns what the log would be with the inserts at its end, or the code of the first that is
// refused.
func (m *machine) stage(base []modelEvent, inserts []insert) ([]modelEvent, eventfold.Code, bool) {
	log := slices.Clone(base)
	for _, in := range inserts {
		if in.erase != nil {
			redact(log, in.erase)
			continue
		}
		if !in.expect.holds(log, lastVersion(log, in.stream)) {
			return nil, in.expect.code, false
		}
		for _, e := range in.events {
			e.version = lastVersion(log, e.stream) + 1
			log = append(log, e)
		}
	}
	return log, 0, true
}

func lastVersion(log []modelEvent, stream string) int {
	v := -1
	for _, e := range log {
		if e.stream == stream {
			v++
		}
	}
	return v
}

// pinned returns the streams whose versions the inserts make known.
func pinned(inserts []insert) map[string]bool {
	streams := map[string]bool{}
	for _, in := range inserts {
		if in.expect.pins {
			streams[in.stream] = true
		}
	}
	return streams
}

// Append is an INSERT outside a transaction.
func (m *machine) Append(t *rapid.T) {
	in := m.drawInsert(t)
	text, args := in.statement()
	log, code, ok := m.stage(m.log, []insert{in})
	result, err := m.db.Exec(text, args...)
	if !ok {
		require.ErrorIs(t, err, code, text)
		return
	}
	require.NoError(t, err, text)
	affected, err := result.RowsAffected()
	require.NoError(t, err)
	require.EqualValues(t, len(in.events), affected)
	last, err := result.LastInsertId()
	require.NoError(t, err)
	require.EqualValues(t, len(log)-1, last)
	m.log = log
}

// Retry appends events again that are stored with ids: all of an append, or a spoilt version of it.
func (m *machine) Retry(t *rapid.T) {
	var starts []int
	for i, e := range m.log {
		if e.id != "" {
			starts = append(starts, i)
		}
	}
	if len(starts) == 0 || m.tx != nil {
		t.Skip("nothing to repeat")
	}
	first := rapid.SampledFrom(starts).Draw(t, "first")
	again := m.log[first]
	in := insert{stream: again.stream, events: []modelEvent{again}, expect: expectation{sql: "NO STREAM"}}
	spoil := rapid.IntRange(0, 3).Draw(t, "spoil")
	switch spoil {
	case 1:
		in.events[0].n += 100
		if again.redacted { // what was erased cannot be compared
			spoil = 0
		}
	case 2:
		in.stream = "elsewhere"
	case 3:
		in.events = append(in.events, m.drawEvents(t, in.stream)...)
		in.events[len(in.events)-1].id = uuid.NewString()
	}
	text, args := in.statement()
	result, err := m.db.Exec(text, args...)
	if spoil != 0 {
		require.ErrorIs(t, err, eventfold.ErrDuplicateEvent, text)
		return
	}
	require.NoError(t, err, "a retry succeeds whatever it expects")
	affected, err := result.RowsAffected()
	require.NoError(t, err)
	require.Zero(t, affected)
	last, err := result.LastInsertId()
	require.NoError(t, err)
	require.EqualValues(t, first, last)
}

func (m *machine) Begin(t *rapid.T) {
	if m.tx != nil {
		t.Skip("in a transaction")
	}
	tx, err := m.db.Begin()
	require.NoError(t, err)
	m.tx, m.before, m.snapshot = tx, slices.Clone(m.log), len(m.log)
	m.buffer, m.results, m.marks = nil, nil, nil
}

// Insert buffers in the transaction; what the snapshot and the buffer refuse is refused at once.
func (m *machine) Insert(t *rapid.T) {
	if m.tx == nil {
		t.Skip("no transaction")
	}
	in := m.drawInsert(t)
	if in.stream != "" && rapid.IntRange(0, 4).Draw(t, "guard") == 0 {
		in.events = nil
	}
	text, args := in.statement()
	_, code, ok := m.stage(m.before, append(slices.Clone(m.buffer), in))
	result, err := m.tx.Exec(text, args...)
	if !ok {
		require.ErrorIs(t, err, code, text)
		return
	}
	require.NoError(t, err, text)
	m.buffer = append(m.buffer, in)
	m.results = append(m.results, result)
}

// drawInsert draws an INSERT into one stream, or now and then into several.
func (m *machine) drawInsert(t *rapid.T) insert {
	stream := rapid.SampledFrom(append([]string{""}, streams...)).Draw(t, "stream")
	return insert{stream: stream, events: m.drawEvents(t, stream), expect: m.drawExpectation(t, stream)}
}

func (m *machine) Savepoint(t *rapid.T) {
	if m.tx == nil {
		t.Skip("no transaction")
	}
	name := rapid.SampledFrom([]string{"p", "q"}).Draw(t, "name")
	switch kind := rapid.IntRange(0, 2).Draw(t, "kind"); kind {
	case 0:
		_, err := m.tx.Exec("SAVEPOINT " + name)
		require.NoError(t, err)
		m.marks = append(m.marks, mark{name, len(m.buffer)})
	default:
		at := -1
		for i, k := range m.marks {
			if k.name == name {
				at = i
			}
		}
		_, err := m.tx.Exec([]string{"", "ROLLBACK TO ", "RELEASE "}[kind] + name)
		if at < 0 {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		if kind == 1 {
			n := m.marks[at].length
			m.checkDropped(t, m.results[n:])
			m.buffer, m.results, m.marks = m.buffer[:n], m.results[:n], m.marks[:at+1]
		} else {
			m.marks = m.marks[:at]
		}
	}
}

func (m *machine) Commit(t *rapid.T) {
	if m.tx == nil {
		t.Skip("no transaction")
	}
	log, _, ok := m.stage(m.log, m.buffer)
	err := m.tx.Commit()
	m.tx = nil
	if !ok {
		require.True(t, errors.Is(err, eventfold.ErrVersionConflict) ||
			errors.Is(err, eventfold.ErrConditionFailed), "%v", err)
		m.checkDropped(t, m.results)
		return
	}
	require.NoError(t, err)
	next := len(m.log)
	for i, in := range m.buffer {
		if len(in.events) == 0 {
			continue
		}
		next += len(in.events)
		last, err := m.results[i].LastInsertId()
		require.NoError(t, err)
		require.EqualValues(t, next-1, last)
	}
	erasures := 0
	for i, in := range m.buffer {
		if in.erase == nil {
			continue
		}
		last, err := m.results[i].LastInsertId()
		require.NoError(t, err)
		require.EqualValues(t, next+erasures, last)
		erasures++
	}
	m.log = told(log, erasures)
}

// checkDropped holds that what was not committed has no position.
func (m *machine) checkDropped(t *rapid.T, results []sql.Result) {
	for _, r := range results {
		_, err := r.LastInsertId()
		require.Error(t, err)
		n, err := r.RowsAffected()
		require.NoError(t, err)
		require.Zero(t, n)
	}
}

func (m *machine) Rollback(t *rapid.T) {
	if m.tx == nil {
		t.Skip("no transaction")
	}
	require.NoError(t, m.tx.Rollback())
	m.checkDropped(t, m.results)
	m.tx = nil
}

func (m *machine) Reopen(t *rapid.T) {
	if m.tx != nil {
		t.Skip("in a transaction")
	}
	require.NoError(t, m.db.Close())
	m.open(t)
}

// read returns the rows of a query as text.
func read(t *rapid.T, db execer, query string, args ...any) (rows []string) {
	result, err := db.Query(query, args...)
	require.NoError(t, err, query)
	defer result.Close()
	names, err := result.Columns()
	require.NoError(t, err)
	for result.Next() {
		row := make([]any, len(names))
		require.NoError(t, result.Scan(pointers(row)...))
		for i := range row {
			row[i] = normal(row[i])
		}
		rows = append(rows, fmt.Sprint(row...))
	}
	require.NoError(t, result.Err(), query)
	return rows
}

// Read compares what the store says with the model: outside a transaction all of the log, inside
// the snapshot and its own events.
func (m *machine) Read(t *rapid.T) {
	m.compare(t, m.db, m.log, len(m.log), nil)
	if m.tx == nil {
		return
	}
	log, _, ok := m.stage(m.before, m.buffer)
	require.True(t, ok)
	m.compare(t, m.tx, log, m.snapshot, pinned(m.buffer))
}

// compare compares the answers for a log of which so many events are committed. The versions of the
// others are known where they are pinned.
func (m *machine) compare(t *rapid.T, db execer, log []modelEvent, committed int, pinned map[string]bool) {
	stream := rapid.SampledFrom(streams).Draw(t, "stream")
	var all, one, unknown []string
	counts := map[string]int{}
	for i, e := range log {
		position := fmt.Sprint(i)
		if i >= committed {
			position = "<nil>"
		}
		tags := "[]"
		if e.tag != "" {
			tags = fmt.Sprintf(`["%s"]`, e.tag)
		}
		version := fmt.Sprint(e.version)
		if i >= committed && !pinned[e.stream] {
			version = "<nil>"
		}
		all = append(all, fmt.Sprint([]any{position, e.stream, version, e.typ, e.shown(), tags, e.redacted}...))
		if e.stream == stream && version == "<nil>" {
			unknown = append(unknown, fmt.Sprint([]any{version, e.typ}...))
		} else if e.stream == stream {
			one = append(one, fmt.Sprint([]any{version, e.typ}...))
		}
		counts[e.typ]++
	}
	require.Equal(t, all, read(t, db,
		`SELECT position, stream, version, type, CASE WHEN stream = '$erasures' THEN '{"n": 0}' ELSE payload END, tags, `+
			`CASE WHEN redacted THEN 'true' ELSE 'false' END FROM $all`))
	require.Equal(t, slices.Concat(unknown, one),
		read(t, db, "SELECT version, type FROM $all WHERE stream = ? ORDER BY version", stream))
	require.Equal(t, slices.Concat(one, unknown), read(t, db, `SELECT version, type FROM "`+stream+`"`))
	slices.Reverse(one)
	require.Equal(t, slices.Concat(one, unknown),
		read(t, db, `SELECT version, type FROM "`+stream+`" ORDER BY version DESC`))
	var byType []string
	for _, typ := range slices.Sorted(func(yield func(string) bool) {
		for typ := range counts {
			if !yield(typ) {
				return
			}
		}
	}) {
		byType = append(byType, fmt.Sprint([]any{typ, counts[typ]}...))
	}
	require.Equal(t, byType, read(t, db, "SELECT type, COUNT(*) FROM $all GROUP BY type ORDER BY type"))
	if committed > 0 {
		p := rapid.IntRange(-1, committed-1).Draw(t, "as of")
		require.Equal(t, []string{fmt.Sprint(p + 1)},
			read(t, m.db, fmt.Sprintf("SELECT COUNT(*) FROM $all AS OF POSITION %d", p)))
	}
}

// Check runs after every step.
func (m *machine) Check(t *rapid.T) {
	var n int
	require.NoError(t, m.db.QueryRow("SELECT COUNT(*) FROM $all").Scan(&n))
	require.Equal(t, len(m.log), n)
}

func (m *machine) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"append": m.Append, "append again": m.Append, "retry": m.Retry, "begin": m.Begin, "insert": m.Insert,
		"insert again": m.Insert,
		"savepoint":    m.Savepoint, "commit": m.Commit, "rollback": m.Rollback, "read": m.Read,
		"": m.Check,
	}
}

// TestModel runs random mixes of appends, conditions, retries, transactions, savepoints and reads
// against a model, with reopening in between. rapid shrinks a failure to the shortest that it
// finds; -rapid.checks sets how many runs there are.
func TestModel(t *testing.T) {
	dir := t.TempDir()
	run := 0
	checkRapid(t, func(t *rapid.T) {
		run++
		m := &machine{dir: filepath.Join(dir, fmt.Sprint("store-", run))}
		m.open(t)
		defer func() {
			if m.tx != nil {
				require.NoError(t, m.tx.Rollback())
			}
			require.NoError(t, m.db.Close())
			require.NoError(t, os.RemoveAll(m.dir))
		}()
		actions := m.actions()
		actions["reopen"] = m.Reopen
		t.Repeat(actions)
	})
}
