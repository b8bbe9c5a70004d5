package query

import (
	"bufio"
	"context"
	"crypto/md5"
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
)

// TestSQLLogic runs the files testdata/slt/*.slt, in the format of sqllogictest, over tables in memory.
// With EVENTFOLD_SLT naming a folder it runs the files below that, too, and prints how many of their records passed.
func TestSQLLogic(t *testing.T) {
	files, err := filepath.Glob("testdata/slt/*.slt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			r := runSLT(t, file)
			for _, f := range r.failures {
				t.Error(f)
			}
			require.Positive(t, r.passed)
		})
	}
}

func TestForeignSQLLogic(t *testing.T) {
	dir := os.Getenv("EVENTFOLD_SLT")
	if dir == "" {
		t.Skip("EVENTFOLD_SLT is not set")
	}
	passed, failed := 0, 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".test") && !strings.HasSuffix(path, ".slt") {
			return err
		}
		r := runSLT(t, path)
		fmt.Printf("%6d passed %6d failed %6d not supported  %s\n", r.passed, len(r.failures), r.unsupported, path)
		for _, f := range r.failures[:min(len(r.failures), 3)] {
			fmt.Println("       ", f)
		}
		passed, failed = passed+r.passed, failed+len(r.failures)
		return nil
	})
	require.NoError(t, err)
	fmt.Printf("%d passed, %d failed\n", passed, failed)
}

// An sltRun is what a file came to.
type sltRun struct {
	file        string
	tables      *memCatalog
	session     *Session
	hashAbove   int
	labels      map[string]string // the hash of the results of a label
	passed      int
	unsupported int // statements that the dialect does not have on purpose
	failures    []string
}

// An sltRecord is one record of a file.
type sltRecord struct {
	line  int
	kind  []string // the first line's words
	sql   string
	want  []string
	skips bool
}

func runSLT(t *testing.T, file string) *sltRun {
	r := &sltRun{
		file: file, tables: &memCatalog{tables: map[string]*memTable{}}, labels: map[string]string{},
		session: &Session{Store: openStore(t, engine.Options{}), Settings: Settings{Now: func() time.Time { return time.Unix(0, 0) }}},
	}
	records, err := readSLT(file)
	require.NoError(t, err)
	for _, rec := range records {
		if rec.kind[0] == "halt" {
			break
		}
		if !rec.skips {
			r.run(rec)
		}
	}
	return r
}

// readSLT reads a file's records, which blank lines separate.
func readSLT(file string) ([]sltRecord, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var records []sltRecord
	var rec *sltRecord
	results, skips := false, false
	in := bufio.NewScanner(f)
	in.Buffer(nil, 16<<20)
	for n := 1; in.Scan(); n++ {
		line := strings.TrimRight(in.Text(), "\r")
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
			rec, results = nil, false
		case rec == nil && strings.HasPrefix(line, "#"):
		case rec == nil && words[0] == "skipif":
			skips = skips || words[1] == "eventfold"
		case rec == nil && words[0] == "onlyif":
			skips = skips || words[1] != "eventfold"
		case rec == nil:
			records = append(records, sltRecord{line: n, kind: words, skips: skips})
			rec, skips = &records[len(records)-1], false
		case line == "----":
			results = true
		case results:
			rec.want = append(rec.want, line)
		default:
			rec.sql += line + "\n"
		}
	}
	return records, in.Err()
}

func (r *sltRun) fail(rec sltRecord, format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf("%s:%d: %s: %s", r.file, rec.line, strings.TrimSpace(rec.sql), fmt.Sprintf(format, args...)))
}

func (r *sltRun) run(rec sltRecord) {
	switch rec.kind[0] {
	case "hash-threshold":
		r.hashAbove, _ = strconv.Atoi(rec.kind[1])
	case "statement":
		err := r.statement(rec.sql)
		if (err == nil) == (rec.kind[1] == "ok") {
			r.passed++
		} else if err == nil {
			r.fail(rec, "should be an error")
		} else if notOurs(rec.sql) {
			r.unsupported++
		} else {
			r.fail(rec, "%v", err)
		}
	case "query":
		r.query(rec)
	default:
		r.fail(rec, "unknown record %v", rec.kind)
	}
}

// notOurs reports whether a statement is one that an append-only dialect does not have.
func notOurs(sql string) bool {
	word, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(sql)), " ")
	return slices.Contains([]string{"UPDATE", "DELETE", "DROP", "REPLACE", "REINDEX", "PRAGMA"}, word) || strings.Contains(strings.ToUpper(sql), "VIEW")
}

func (r *sltRun) statement(text string) error {
	upper := strings.ToUpper(strings.TrimSpace(text))
	switch {
	case strings.HasPrefix(upper, "CREATE TABLE"):
		return r.tables.create(text)
	case strings.HasPrefix(upper, "CREATE INDEX"), strings.HasPrefix(upper, "CREATE UNIQUE INDEX"), strings.HasPrefix(upper, "DROP INDEX"):
		return nil
	}
	parsed, err := parser.Parse(text)
	if err != nil {
		return err
	}
	if st, ok := parsed.Statement.(*parser.Insert); ok {
		return r.tables.insert(st)
	}
	plan, err := compileWith(parsed, r.tables)
	if err != nil {
		return err
	}
	_, err = plan.Exec(context.Background(), r.session, nil)
	return err
}

func (r *sltRun) query(rec sltRecord) {
	types, order := rec.kind[1], "nosort"
	if len(rec.kind) > 2 {
		order = rec.kind[2]
	}
	rows, err := r.rows(rec.sql, types)
	if err != nil {
		r.fail(rec, "%v", err)
		return
	}
	got := arrange(rows, order)
	hashed := hashOf(got)
	if r.hashAbove > 0 && len(got) > r.hashAbove {
		got = []string{hashed}
	}
	if len(rec.kind) > 3 {
		if was, ok := r.labels[rec.kind[3]]; ok && was != hashed {
			r.fail(rec, "differs from the other results labelled %s", rec.kind[3])
			return
		}
		r.labels[rec.kind[3]] = hashed
	}
	if len(rec.want) == 1 && strings.Contains(rec.want[0], "values hashing to") {
		got = []string{hashed}
	}
	want := rec.want
	if len(want) > 0 && len(want) == len(rows) && len(rows) > 0 && len(rows[0]) > 1 { // a line per row, as people write it
		want = strings.Fields(strings.Join(want, " "))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		r.fail(rec, "got %q, want %q", got, want)
		return
	}
	r.passed++
}

// rows runs a query and gives its values as the types letter by letter ask for them.
func (r *sltRun) rows(text, types string) ([][]string, error) {
	parsed, err := parser.Parse(text)
	if err != nil {
		return nil, err
	}
	plan, err := compileWith(parsed, r.tables)
	if err != nil {
		return nil, err
	}
	rows, err := plan.Query(context.Background(), r.session, nil)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	if len(rows.Columns()) != len(types) {
		return nil, fmt.Errorf("the query gives %d columns, want %d", len(rows.Columns()), len(types))
	}
	var list [][]string
	dest := make([]driver.Value, len(types))
	for {
		err := rows.Next(dest)
		if err == io.EOF {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		row := make([]string, len(dest))
		for i, v := range dest {
			row[i] = sltText(v, types[i])
		}
		list = append(list, row)
	}
}

func sltText(v driver.Value, kind byte) string {
	if v == nil {
		return "NULL"
	}
	value, err := fromDriver(v, bytesKeeper{})
	if err != nil {
		return err.Error()
	}
	switch kind {
	case 'I':
		return strconv.FormatInt(toInt(value), 10)
	case 'R':
		return fmt.Sprintf("%.3f", toReal(value))
	}
	text := value.text()
	if text == "" {
		return "(empty)"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '@'
		}
		return r
	}, text)
}

// arrange puts the values one after the other, in the order that the record asks for.
func arrange(rows [][]string, order string) []string {
	if order == "rowsort" {
		sort.SliceStable(rows, func(i, j int) bool { return slices.Compare(rows[i], rows[j]) < 0 })
	}
	var list []string
	for _, row := range rows {
		list = append(list, row...)
	}
	if order == "valuesort" {
		sort.Strings(list)
	}
	return list
}

func hashOf(values []string) string {
	h := md5.New()
	for _, v := range values {
		io.WriteString(h, v+"\n")
	}
	return fmt.Sprintf("%d values hashing to %s", len(values), hex.EncodeToString(h.Sum(nil)))
}
