package sqllogic

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// A Database is what the statements of a file are run on.
type Database interface {
	// Exec runs a statement that gives no rows.
	Exec(text string) error
	// Query runs a statement and returns its values: nil, int64, float64, string and []byte.
	Query(text string) ([][]any, error)
	// Sort sorts an error of the two.
	Sort(err error) Sort
}

// A Sort says what an error says.
type Sort uint8

// The sorts of errors.
const (
	Failed  Sort = iota // something went wrong that should not
	Refused             // the database does not have what the statement asks for
	Invalid             // the statement breaks a rule
)

// Counts are what the records of a file came to.
type Counts struct {
	Passed  int
	Wrong   int // another answer than the file's, an error where there should be none, or none where there should be one
	Refused int // not in the dialect
	Skipped int // for other databases, or about a table that a refused statement would have made or changed
}

// Add adds the counts of another file.
func (c *Counts) Add(d Counts) {
	c.Passed += d.Passed
	c.Wrong += d.Wrong
	c.Refused += d.Refused
	c.Skipped += d.Skipped
}

// String writes the counts in one line, for a log.
func (c Counts) String() string {
	return fmt.Sprintf("%d passed, %d wrong, %d refused, %d skipped", c.Passed, c.Wrong, c.Refused, c.Skipped)
}

// A run is a file while it is run.
type run struct {
	Counts
	db        Database
	hashAbove int
	labels    map[string]string // the hash of the results of a label
	lost      map[string]bool   // tables that are not what the file thinks
	report    func(line int, text string)
}

// Run runs the records of a file. What is wrong is told to report as it is found, with its line.
func Run(file io.Reader, db Database, report func(line int, text string)) (Counts, error) {
	r := &run{db: db, labels: map[string]string{}, lost: map[string]bool{}, report: report}
	records, err := read(file)
	if err != nil {
		return r.Counts, err
	}
	for _, rec := range records {
		if rec.kind[0] == "halt" && !rec.skips {
			break
		}
		r.record(rec)
	}
	return r.Counts, nil
}

func (r *run) record(rec record) {
	switch {
	case rec.kind[0] == "halt", rec.kind[0] == "hash-threshold" && rec.skips:
	case rec.skips:
		r.Skipped++
	case r.readsLost(rec.sql):
		r.Skipped++
		r.loseChange(rec)
	case rec.kind[0] == "hash-threshold" && len(rec.kind) > 1:
		r.hashAbove, _ = strconv.Atoi(rec.kind[1])
	case rec.kind[0] == "statement" && len(rec.kind) > 1:
		r.statement(rec)
	case rec.kind[0] == "query" && len(rec.kind) > 1:
		r.query(rec)
	default:
		r.wrong(rec, "unknown record %v", rec.kind)
	}
}

func (r *run) wrong(rec record, format string, args ...any) {
	r.Wrong++
	r.lose(rec.sql)
	r.report(rec.line, strings.TrimSpace(rec.sql)+": "+fmt.Sprintf(format, args...))
}

func (r *run) statement(rec record) {
	err := r.db.Exec(rec.sql)
	sort := r.db.Sort(err)
	switch ok := rec.kind[1] == "ok"; {
	case err == nil && ok, err != nil && !ok && sort == Invalid:
		r.Passed++
	case err == nil:
		r.wrong(rec, "should be an error")
	case sort == Failed:
		r.wrong(rec, "%v", err)
	default:
		r.Refused++
		r.loseChange(rec)
	}
}

// changes finds the table that a statement changes.
var changes = regexp.MustCompile(`(?is)^\s*(?:INSERT\s+(?:OR\s+\w+\s+)?INTO|REPLACE\s+INTO|` +
	`UPDATE(?:\s+OR\s+\w+)?|DELETE\s+FROM|DROP\s+\w+(?:\s+IF\s+EXISTS)?|` +
	`ALTER\s+TABLE|CREATE\s+(?:TEMP\w*\s+)?(?:TABLE|VIEW)(?:\s+IF\s+NOT\s+EXISTS)?)\s+["'\x60\[]?(\w+)`)

// triggers finds the table that a trigger would change further.
var triggers = regexp.MustCompile(`(?is)^\s*CREATE\s+(?:TEMP\w*\s+)?TRIGGER\b.*?\bON\s+["'\x60\[]?(\w+)`)

// loseChange notes that a statement has not done what it should. One that should be an error would
// have changed nothing.
func (r *run) loseChange(rec record) {
	if rec.kind[0] == "statement" && rec.kind[1] == "ok" {
		r.lose(rec.sql)
	}
}

// lose notes that the table that a statement changes is not what the file thinks.
func (r *run) lose(sql string) {
	for _, change := range []*regexp.Regexp{changes, triggers} {
		if m := change.FindStringSubmatch(sql); m != nil {
			r.lost[strings.ToLower(m[1])] = true
		}
	}
}

var word = regexp.MustCompile(`\w+`)

// readsLost reports whether a statement names a table that is not what the file thinks.
func (r *run) readsLost(sql string) bool {
	if len(r.lost) == 0 {
		return false
	}
	for _, w := range word.FindAllString(sql, -1) {
		if r.lost[strings.ToLower(w)] {
			return true
		}
	}
	return false
}

func (r *run) query(rec record) {
	types, order := rec.kind[1], "nosort"
	if len(rec.kind) > 2 {
		order = rec.kind[2]
	}
	rows, err := r.db.Query(rec.sql)
	if err != nil {
		if r.db.Sort(err) == Failed {
			r.wrong(rec, "%v", err)
		} else {
			r.Refused++
		}
		return
	}
	if len(rows) > 0 && len(rows[0]) != len(types) {
		r.wrong(rec, "the query gives %d columns, want %d", len(rows[0]), len(types))
		return
	}
	got := arrange(texts(rows, types), order)
	if text := r.differs(rec, got, len(rows)); text != "" {
		r.wrong(rec, "%s", text)
		return
	}
	r.Passed++
}

// differs says in what the values of a number of rows are not what the record wants, "" if they are.
func (r *run) differs(rec record, got []string, rows int) string {
	hashed := hashOf(got)
	if len(rec.kind) > 3 {
		if was, ok := r.labels[rec.kind[3]]; ok && was != hashed {
			return "differs from the other results labelled " + rec.kind[3]
		}
		r.labels[rec.kind[3]] = hashed
	}
	want := rec.want
	switch {
	case len(want) == 1 && strings.Contains(want[0], "values hashing to"):
		got = []string{hashed}
	case r.hashAbove > 0 && len(got) > r.hashAbove:
		got = []string{hashed}
	case len(want) == rows && len(got) > rows: // a line a row, as people write it
		want = strings.Fields(strings.Join(want, " "))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		return fmt.Sprintf("got %q, want %q", got, want)
	}
	return ""
}
