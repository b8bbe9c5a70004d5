package integration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/internal/testenv"
)

// A serialStep is one statement of a random transaction, and what it has answered.
type serialStep struct {
	text   string
	rows   int // how many rows are read; -1 for all, and 0 for a statement that gives none
	answer string
}

// A serialTx is a transaction that was committed.
type serialTx struct {
	steps []serialStep
	at    int64 // a position that it has written to: those of a transaction stand together
	reads bool  // it has written nothing: at is the head of its snapshot

	placed bool // at is known
}

// serialReads are what transactions read; S is a stream, T a type and N a number. Those of the
// second list are about content, and tell no positions, between which a store that erases puts
// events of its own.
var serialReads = [2][]string{{
	"SELECT COUNT(*) FROM $all", "SELECT COUNT(*) FROM S", "SELECT COUNT(*) FROM $all WHERE type = 'T'",
	"SELECT SUM(payload->>'$.n') FROM $all WHERE type = 'T'",
	"SELECT COUNT(*) FROM $all WHERE type = 'T' AND payload->>'$.n' > N",
	"SELECT COUNT(*) FROM $all WHERE HAS(tags, 'T') OR stream = 'S'",
	"SELECT MAX(version) FROM S", "SELECT MAX(position) FROM $all WHERE type = 'T'",
	"SELECT MIN(position) FROM $all WHERE type = 'T'", "SELECT MIN(version), MAX(type) FROM S",
	"SELECT type, COUNT(*) FROM $all GROUP BY type ORDER BY type",
	"SELECT stream, events FROM $streams ORDER BY stream", "SELECT COUNT(*) FROM $streams",
	"SELECT version FROM $streams WHERE stream = 'S'", "SELECT type, events FROM $types ORDER BY type",
	"SELECT EXISTS (SELECT 1 FROM S WHERE type = 'T')",
	"SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM $all WHERE type = 'T' AND stream = 'S')",
	"SELECT type FROM $all ORDER BY position DESC LIMIT 1", "SELECT type FROM $all ORDER BY position LIMIT N",
	"SELECT type, stream FROM $all WHERE position >= N", "SELECT type, stream FROM $all WHERE position < N",
	"SELECT type FROM S WHERE version = N", "SELECT type FROM S WHERE version > N",
	"SELECT COUNT(*) FROM $all WHERE stream LIKE 'S%'", "SELECT COUNT(*) FROM $all WHERE stream LIKE '%S'",
	"SELECT type FROM S EXCEPT SELECT type FROM $all WHERE version = N ORDER BY 1", "SELECT COUNT(*) FROM $all WHERE category = 'S'",
	"WITH RECURSIVE n AS (SELECT 0 AS v UNION ALL SELECT v + 1 FROM n WHERE EXISTS (SELECT 1 FROM S WHERE version = v)) SELECT MAX(v) FROM n",
	"SELECT COUNT(*) FROM $all AS OF POSITION N", "SELECT stream, type FROM $all",
	"SELECT COUNT(*) FROM S a JOIN $all b ON a.type = b.type WHERE b.version = 0",
	"SELECT s.stream FROM $streams s WHERE NOT EXISTS (SELECT 1 FROM $all e WHERE e.stream = s.stream AND e.type = 'T') ORDER BY 1",
	"SELECT type FROM S UNION SELECT type FROM $all WHERE payload->>'$.n' = N ORDER BY 1",
}, {
	"SELECT payload FROM S", "SELECT payload FROM $all WHERE type = 'T'", "SELECT redacted FROM S WHERE type = 'T'",
	"SELECT SUM(payload->>'$.n') FROM S", "SELECT COUNT(*) FROM S WHERE payload->>'$.n' > N", "SELECT COUNT(*) FROM S",
	"SELECT payload FROM S WHERE version = N", "SELECT COUNT(*) FROM $all WHERE type = 'T' AND payload IS NULL",
}}

// serialWrites are what they write, and expect.
var serialWrites = [2][]string{{
	`INSERT INTO S (type, payload, tags) VALUES ('T', '{"n": N}', '["T"]')`,
	`INSERT INTO S (type, payload) VALUES ('T', '{"n": N}'), ('T', NULL)`,
	`INSERT INTO S (type) VALUES ('T') EXPECTING VERSION N`, `INSERT INTO S (type) VALUES ('T') RETURNING version`,
	`EXPECT S NO STREAM`, `EXPECT $all NO EVENT FROM $all WHERE type = 'T' AND stream = 'S'`,
	`SAVEPOINT p`, `SAVEPOINT p`, `ROLLBACK TO p`, `ROLLBACK TO p`,
}, {
	`INSERT INTO S (type, payload) VALUES ('T', '{"n": N}')`, `INSERT INTO S (type, payload) VALUES ('T', '{"n": N}')`,
	`ERASE FROM S WHERE payload->>'$.n' = N REASON 'r'`, `ERASE FROM $all WHERE type = 'T' REASON 'r'`,
}}

// randomStep returns a statement; erasing chooses the lists.
func randomStep(r *rand.Rand, erasing int) serialStep {
	list, rows := serialReads[erasing], -1
	if r.IntN(5) == 0 {
		rows = 1 + r.IntN(2)
	}
	if r.IntN(5) < 2 {
		list, rows = serialWrites[erasing], 0
	}
	text := list[r.IntN(len(list))]
	if strings.Contains(text, "RETURNING") {
		rows = -1
	}
	for old, value := range map[string]string{
		"S": fmt.Sprint("s", r.IntN(4)), "T": fmt.Sprint("t", r.IntN(3)), "N": fmt.Sprint(r.IntN(6)),
	} {
		text = replaceWord(text, old, value)
	}
	return serialStep{text: text, rows: rows}
}

// replaceWord replaces a letter where it stands alone.
func replaceWord(text, old, value string) string {
	letter := func(i int) bool {
		return i >= 0 && i < len(text) && (text[i] == '_' || 'a' <= text[i]|0x20 && text[i]|0x20 <= 'z')
	}
	var b strings.Builder
	for i := range len(text) {
		if text[i:i+1] == old && !letter(i-1) && !letter(i+1) {
			b.WriteString(value)
		} else {
			b.WriteByte(text[i])
		}
	}
	return b.String()
}

// run runs the step. What is refused is an answer, too.
func (s *serialStep) run(tx *sql.Tx) (sql.Result, string) {
	if s.rows == 0 {
		result, err := tx.Exec(s.text)
		return result, refusalOf(err)
	}
	rows, err := tx.Query(s.text)
	if err != nil {
		return nil, refusalOf(err)
	}
	defer rows.Close()
	columns, _ := rows.Columns()
	var b strings.Builder
	for n := 0; n != s.rows && rows.Next(); n++ {
		values, dest := make([]sql.RawBytes, len(columns)), make([]any, len(columns))
		for i := range values {
			dest[i] = &values[i]
		}
		if err := rows.Scan(dest...); err != nil {
			return nil, refusalOf(err)
		}
		for _, v := range values {
			fmt.Fprintf(&b, "%s|", v)
		}
		b.WriteByte('\n')
	}
	return nil, b.String() + refusalOf(rows.Err())
}

func refusalOf(err error) string {
	var e *eventfold.Error
	if errors.As(err, &e) {
		return fmt.Sprint("refused: ", e.Code)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// A serialClient makes random transactions, one after the other, and keeps those that were
// committed.
type serialClient struct {
	db      *sql.DB
	level   sql.IsolationLevel
	erasing int
	done    []serialTx
	refused int
}

func (c *serialClient) transaction(r *rand.Rand) error {
	tx, err := c.db.BeginTx(context.Background(), &sql.TxOptions{Isolation: c.level})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	t := serialTx{reads: true}
	var results []sql.Result
	mark := r.IntN(2) == 0 // an event at the end by which the place is known
	for range 1 + r.IntN(5) {
		step := randomStep(r, c.erasing)
		if r.IntN(3) == 0 {
			runtime.Gosched()
		}
		result, answer := step.run(tx)
		step.answer = answer
		t.steps = append(t.steps, step)
		mark = mark || strings.Contains(step.text, "RETURNING") // which tells no place
		if answer == "" && result != nil {
			results = append(results, result)
		}
	}
	if mark {
		step := serialStep{text: `INSERT INTO marks (type, payload) VALUES ('mark', '{"n": 9}')`}
		result, _ := step.run(tx)
		t.steps, results = append(t.steps, step), append(results, result)
	} else if len(results) == 0 {
		if err := tx.QueryRow("SELECT COUNT(*) FROM $all").Scan(&t.at); err != nil {
			return err
		}
		t.placed = true
	}
	if err := tx.Commit(); err != nil {
		c.refused++
		if errors.Is(err, eventfold.ErrConditionFailed) || errors.Is(err, eventfold.ErrVersionConflict) {
			return nil
		}
		return err
	}
	return c.keep(t, results)
}

// keep finds the place of a transaction: one of the positions that it was given.
func (c *serialClient) keep(t serialTx, results []sql.Result) error {
	for _, result := range results {
		n, err := result.RowsAffected()
		if err != nil || n == 0 {
			continue
		}
		last, err := result.LastInsertId()
		if err != nil {
			continue // of a statement that was rolled back
		}
		t.at, t.reads, t.placed = last, false, true
	}
	if t.placed { // otherwise all that it has written was rolled back
		c.done = append(c.done, t)
	}
	return nil
}

// serialHistory lets clients make transactions at the same time and returns those that were
// committed, in the order of their commits.
func serialHistory(t *testing.T, seed uint64, level sql.IsolationLevel) (history []serialTx, erasing, refused int) {
	db, err := sql.Open("eventfold", ":memory:")
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	erasing = int(seed % 4 / 3)
	clients := make([]serialClient, 4)
	var group sync.WaitGroup
	for i := range clients {
		c := &clients[i]
		*c = serialClient{db: db, level: level, erasing: erasing}
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		group.Go(func() {
			for range 8 {
				if err := c.transaction(r); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	for _, c := range clients {
		history, refused = append(history, c.done...), refused+c.refused
	}
	slices.SortStableFunc(history, func(a, b serialTx) int {
		switch {
		case a.at != b.at:
			return int(a.at - b.at)
		case a.reads == b.reads:
			return 0
		case a.reads:
			return -1
		}
		return 1
	})
	return history, erasing, refused
}

// runAlone runs the transactions of a history one after the other on an empty store and returns the
// first answer that is another one: there is none if the history is serializable in the order of its
// commits.
func runAlone(t *testing.T, history []serialTx) (difference string) {
	db, err := sql.Open("eventfold", ":memory:")
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	for _, then := range history {
		tx, err := db.Begin()
		require.NoError(t, err)
		for _, step := range then.steps {
			if _, answer := step.run(tx); answer != step.answer {
				tx.Rollback()
				return fmt.Sprintf("of %+v at %d, %s gives %q by itself, and gave %q", then.steps, then.at, step.text, answer,
					step.answer)
			}
		}
		if err := tx.Commit(); err != nil {
			return fmt.Sprintf("%+v cannot be committed by itself: %v", then.steps, err)
		}
	}
	return ""
}

// TestTransactionsAreSerializable makes random histories of transactions that run at the same time,
// and runs what was committed again, one transaction after the other: every statement gives the
// same.
func TestTransactionsAreSerializable(t *testing.T) {
	seed := testenv.Seed(t)
	committed, refused := 0, 0
	for i := range uint64(budget(t, "EVENTFOLD_HISTORIES", 200, 0)) {
		history, _, no := serialHistory(t, seed+i, sql.LevelSerializable)
		difference := runAlone(t, history)
		require.Empty(t, difference, "history %d", seed+i)
		committed, refused = committed+len(history), refused+no
	}
	t.Logf("%d transactions committed, %d refused", committed, refused)
}

// TestTheHistoriesSeeALie: those of snapshots are not serializable, and that is noticed.
func TestTheHistoriesSeeALie(t *testing.T) {
	for i := range uint64(400) {
		history, _, _ := serialHistory(t, i, sql.LevelSnapshot)
		if runAlone(t, history) != "" {
			return
		}
	}
	assert.Fail(t, "no history of snapshots was anything but serializable")
}

// TestSerializableSaboteurs builds this package so that a kind of reading is not noted, which the
// histories must notice.
func TestSerializableSaboteurs(t *testing.T) {
	testenv.WithoutRace(t)
	if testing.Short() {
		t.Skip("-short: compiles the package once more and runs histories for every saboteur")
	}
	binary := filepath.Join(t.TempDir(), "saboteur.test")
	out, err := exec.Command("go", "test", "-c", "-tags", "saboteur", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, rule := range []string{"none", "serial-scan", "serial-index", "serial-expectation", "serial-erasure"} {
		run := exec.Command(binary, "-test.run", "^TestTransactionsAreSerializable$", "-test.timeout", "5m")
		run.Env = append(os.Environ(), "EVENTFOLD_SABOTEUR="+rule, "EVENTFOLD_HISTORIES=1000")
		if rule == "none" {
			run.Env = append(run.Env, "EVENTFOLD_HISTORIES=50")
		}
		out, err := run.CombinedOutput()
		if rule == "none" {
			require.NoError(t, err, "%s", out)
			continue
		}
		assert.Error(t, err, "the histories do not notice %s:\n%s", rule, out)
		assert.Contains(t, string(out), "gives", rule)
	}
}
