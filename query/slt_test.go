package query

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
	"github.com/eventfold/eventfold/query/sqllogic"
)

// TestSQLLogic runs the files testdata/slt/*.slt, in the format of sqllogictest, over tables in
// memory. The integration module holds that SQLite answers them in the same way.
func TestSQLLogic(t *testing.T) {
	files, err := filepath.Glob("testdata/slt/*.slt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var all sqllogic.Counts
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			c := runSLT(t, file)
			require.Positive(t, c.Passed)
			require.Zero(t, c.Refused, "the files have only what the dialect has")
			all.Add(c)
		})
	}
	require.Greater(t, all.Passed, 300)
	require.Less(t, all.Skipped, 10)
}

// TestForeignSQLLogic runs the files below the folder that EVENTFOLD_SLT names, as those of
// SQLite's corpus, and prints what their records came to. A wrong answer is a failure; a statement
// that the dialect refuses is not.
func TestForeignSQLLogic(t *testing.T) {
	dir := testenv.Get("EVENTFOLD_SLT")
	if dir == "" {
		t.Skip("EVENTFOLD_SLT is not set: it names a folder with SQLite's corpus, which is too large to keep here")
	}
	var all sqllogic.Counts
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".test") && !strings.HasSuffix(path, ".slt") {
			return err
		}
		began := time.Now()
		c := runSLT(t, path)
		fmt.Printf("%s: %v in %v\n", path, c, time.Since(began).Round(time.Millisecond))
		all.Add(c)
		return nil
	})
	require.NoError(t, err)
	require.Positive(t, all.Passed, "no record passed")
	fmt.Println(all)
}

// runSLT runs a file. Every wrong answer fails the test.
func runSLT(t *testing.T, path string) sqllogic.Counts {
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	c, err := sqllogic.Run(file, newMemDB(t), func(line int, text string) {
		if !wider.MatchString(text) {
			t.Errorf("%s:%d: %s", path, line, text)
		}
	})
	require.NoError(t, err)
	return c
}

// wider are statements that SQLite refuses and the dialect has, as PostgreSQL does: aggregates of
// several arguments with DISTINCT.
var wider = regexp.MustCompile(`(?i)^SELECT group_concat\(DISTINCT [^()]*,[^()]*\) FROM \w+: should be an error$`)

// A memDB runs statements on tables in memory, and does in their place what an append-only dialect
// does not have: CREATE, DROP, DELETE, INSERT ... SELECT and views.
type memDB struct {
	tables  *memCatalog
	views   []string // name AS (SELECT ...), in the order in which they were made
	session *Session
}

func newMemDB(t testing.TB) *memDB {
	return &memDB{
		tables: &memCatalog{tables: map[string]*memTable{}},
		session: &Session{Store: openStore(t, filestore.Options{}),
			Settings: Settings{Now: func() time.Time { return time.Unix(0, 0) }}},
	}
}

// emulated are the statements that memDB does itself.
var emulated = []struct {
	pattern *regexp.Regexp
	run     func(db *memDB, m []string) error
}{
	{regexp.MustCompile(`(?is)^CREATE\s+TABLE\b.*`), func(db *memDB, m []string) error { return db.tables.create(m[0]) }},
	{regexp.MustCompile(`(?is)^(?:CREATE\s+(?:UNIQUE\s+)?|DROP\s+|RE)INDEX\b`),
		func(*memDB, []string) error { return nil }},
	{regexp.MustCompile(`(?is)^DROP\s+TABLE\s+(\w+)$`), func(db *memDB, m []string) error {
		delete(db.tables.tables, parser.LowerASCII(m[1]))
		return nil
	}},
	{regexp.MustCompile(`(?is)^CREATE\s+VIEW\s+(\w+)\s+AS\s+(SELECT.*)$`), func(db *memDB, m []string) error {
		db.views = append(db.views, m[1]+" AS ("+m[2]+")")
		_, err := db.Query("SELECT 1 FROM " + m[1])
		return err
	}},
	{regexp.MustCompile(`(?is)^INSERT\s+INTO\s+(\w+)\s+(SELECT.*)$`),
		func(db *memDB, m []string) error { return db.insertFrom(m[1], m[2]) }},
	{regexp.MustCompile(`(?is)^DELETE\s+FROM\s+(\w+)(?:\s+WHERE\s+(.*))?$`),
		func(db *memDB, m []string) error { return db.delete(m[1], m[2]) }},
}

// Exec implements sqllogic.Database.
func (db *memDB) Exec(text string) error {
	text = strings.TrimRight(strings.TrimSpace(text), "; \n")
	for _, e := range emulated {
		if m := e.pattern.FindStringSubmatch(text); m != nil {
			return e.run(db, m)
		}
	}
	parsed, err := parser.Parse(text)
	if err != nil {
		return err
	}
	if st, ok := parsed.Statement.(*parser.Insert); ok {
		return db.tables.insert(st)
	}
	_, err = db.Query(text)
	return err
}

// insertFrom runs INSERT INTO table SELECT.
func (db *memDB) insertFrom(table, query string) error {
	into := db.tables.tables[parser.LowerASCII(table)]
	if into == nil {
		return errorf(UnknownTable, 0, "there is no table %s", fault.Quoted(table))
	}
	rows, err := db.values(query)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if len(row) != len(into.columns) {
			return errorf(BadStatement, 0, "%d values for %d columns", len(row), len(into.columns))
		}
		for i := range row {
			row[i] = stored(row[i], into.columns[i].affinity)
		}
	}
	into.rows = append(into.rows, rows...)
	return nil
}

// delete runs DELETE FROM table WHERE condition, "" for no condition.
func (db *memDB) delete(table, condition string) error {
	if condition == "" {
		condition = "1"
	}
	rows, err := db.values("SELECT * FROM " + table + " WHERE NOT coalesce((" + condition + "), 0)")
	if err == nil {
		db.tables.tables[parser.LowerASCII(table)].rows = rows
	}
	return err
}

// Query implements sqllogic.Database.
func (db *memDB) Query(text string) ([][]any, error) {
	values, err := db.values(text)
	rows := make([][]any, len(values))
	for k, row := range values {
		for _, v := range row {
			rows[k] = append(rows[k], plainValue(v))
		}
	}
	return rows, err
}

func plainValue(v value.Value) any {
	switch v.Kind {
	case value.Null:
		return nil
	case value.Int:
		return v.N
	case value.Float:
		return v.F
	case value.Bytes:
		return []byte(v.S)
	}
	return v.Text()
}

// values runs a query.
func (db *memDB) values(text string) ([][]value.Value, error) {
	if len(db.views) > 0 {
		text = "WITH " + strings.Join(db.views, ", ") + " " + text
	}
	parsed, err := parser.Parse(text)
	if err != nil {
		return nil, err
	}
	plan, err := compileWith(context.Background(), parsed, db.tables, nil)
	if err != nil {
		return nil, err
	}
	rows, err := plan.Query(context.Background(), db.session, nil)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list [][]value.Value
	dest := make([]driver.Value, len(rows.Columns()))
	for {
		if err := rows.Next(dest); err != nil {
			if err == io.EOF {
				err = nil
			}
			return list, err
		}
		row := make([]value.Value, len(dest))
		for i, v := range dest {
			if row[i], err = value.FromDriver(v, func(b []byte) string { return string(b) }); err != nil {
				return nil, err
			}
			row[i].S = strings.Clone(row[i].S)
		}
		list = append(list, row)
	}
}

// Sort implements sqllogic.Database.
func (db *memDB) Sort(err error) sqllogic.Sort {
	var syntax *parser.SyntaxError
	var e *Error
	switch {
	case errors.As(err, &syntax):
		return sqllogic.Refused
	case !errors.As(err, &e) || e.Kind == OutOfMemory || e.Kind == ReadOnly:
		return sqllogic.Failed
	case e.Kind == Unsupported || e.Kind == UnknownFunction:
		return sqllogic.Refused
	}
	return sqllogic.Invalid
}
