package docs

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"go/ast"
	goparser "go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine/enginetest"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query"
	"github.com/eventfold/eventfold/shred"
)

// A sampleKeyring has a key for every subject, always the same, so that a sealed value can stand on
// the page. It forgets like any other.
type sampleKeyring struct{ fences []shred.Fence }

// Key implements shred.Keyring.
func (s *sampleKeyring) Key(_ context.Context, subject string, _ bool) (shred.Key, error) {
	for _, f := range s.fences {
		if f.Subject == subject {
			return shred.Key{}, &shred.ForgottenError{Fence: f}
		}
	}
	return shred.Key{Subject: subject, Revision: 1, Secret: sha256.Sum256([]byte(subject))}, nil
}

// Erase implements shred.Keyring.
func (s *sampleKeyring) Erase(ctx context.Context, subject, reason string) (bool, error) {
	if _, err := s.Key(ctx, subject, false); err != nil {
		return false, nil
	}
	s.fences = append(s.fences, shred.Fence{Subject: subject, Revision: 1, Reason: reason})
	return true, nil
}

// Allow implements shred.Keyring.
func (s *sampleKeyring) Allow(context.Context, string) error { return nil }

// TestTheSealedValueOfTheReference makes what the page has, if it is run with -v: a nonce is random.
func TestTheSealedValueOfTheReference(t *testing.T) {
	at := shred.Place{Stream: "order-42", Type: "Placed", Path: "$.email"}
	raw, err := shred.Seal(t.Context(), &sampleKeyring{}, at, "customer:42", "ada@example.com")
	require.NoError(t, err)
	t.Logf("%s", raw)
}

// A sample is one statement of a ```sql block. What follows it in comments is what it must give:
//
//	-- a | b         one row, its values separated by bars
//	-- error: text   an error that contains text
//
// Without such a comment it only has to run.
type sample struct {
	line int
	sql  string
	want []string
	fail string
}

// blocks returns the text of the fenced blocks of a language, with the line that each begins on.
func blocks(t *testing.T, file, language string) (texts []string, lines []int) {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	inside := false
	for i, line := range strings.Split(string(content), "\n") {
		switch {
		case !inside && line == "```"+language:
			inside = true
			texts, lines = append(texts, ""), append(lines, i+2)
		case inside && line == "```":
			inside = false
		case inside:
			texts[len(texts)-1] += line + "\n"
		}
	}
	return texts, lines
}

// samples splits a block into its statements.
func samples(block string, line int) (list []sample) {
	var current sample
	flush := func() {
		if strings.TrimSpace(current.sql) != "" {
			list = append(list, current)
		}
		current = sample{}
	}
	ended := false
	for i, text := range strings.Split(block, "\n") {
		if comment, ok := strings.CutPrefix(text, "-- "); ok && ended {
			if fail, ok := strings.CutPrefix(comment, "error: "); ok {
				current.fail = fail
			} else {
				current.want = append(current.want, comment)
			}
			continue
		}
		if ended {
			flush()
			ended = false
		}
		if current.sql == "" {
			current.line = line + i
		}
		current.sql += text + "\n"
		code, _, _ := strings.Cut(text, " -- ")
		ended = strings.HasSuffix(strings.TrimSpace(code), ";")
	}
	flush()
	return list
}

func TestSamplesOfTheReference(t *testing.T) { runSamples(t, open(t), "sql") }

func TestSamplesOfSerializableTransactions(t *testing.T) { runSamples(t, open(t), "sql serializable") }

// TestSamplesOfItems runs those of functions in FROM, over orders that have items.
func TestSamplesOfItems(t *testing.T) { runSamples(t, open(t), "sql items") }

// TestSamplesOfErasing runs them on a Model, where erasures are done at once.
func TestSamplesOfErasing(t *testing.T) {
	m := enginetest.NewModel()
	db := eventfold.OpenDB(eventfold.Config{Store: m, Begin: true, Actor: "dpo"})
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	runSamples(t, conn, "sql erasing")
	require.NoError(t, errors.Join(conn.Close(), db.Close(), m.Close()))
}

// TestSamplesOfViews runs them on a store of their own, in which definitions have the positions that
// they tell.
func TestSamplesOfViews(t *testing.T) { runSamples(t, open(t), "sql views") }

// TestSamplesOfFollowing runs them on a Model, too: they erase.
func TestSamplesOfFollowing(t *testing.T) {
	m := enginetest.NewModel()
	db := eventfold.OpenDB(eventfold.Config{Store: m})
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	runSamples(t, conn, "sql follow")
	require.NoError(t, errors.Join(conn.Close(), db.Close(), m.Close()))
}

// runSamples runs the blocks of a language of sql.md from top to bottom on one store.
func runSamples(t *testing.T, db *sql.Conn, language string) { runPage(t, db, "sql.md", language) }

// runPage runs the blocks of a language of a page from top to bottom on one store.
func runPage(t *testing.T, db *sql.Conn, page, language string) {
	texts, lines := blocks(t, page, language)
	require.NotEmpty(t, texts)
	ran := 0
	for i := range texts {
		for _, s := range samples(texts[i], lines[i]) {
			ran++
			wanted := len(s.want)
			if s.fail != "" { // which the first row may tell
				wanted = 1
			}
			got, err := run(t, db, s.sql, wanted)
			if s.fail != "" {
				assert.ErrorContains(t, err, s.fail, "%s:%d: %s", page, s.line, s.sql)
				continue
			}
			if assert.NoError(t, err, "%s:%d: %s", page, s.line, s.sql) && s.want != nil {
				assert.Equal(t, s.want, got, "%s:%d: %s", page, s.line, s.sql)
			}
		}
	}
	t.Logf("%d samples", ran)
}

// open returns one connection, because the words BEGIN and COMMIT belong to one.
func open(t *testing.T) *sql.Conn {
	t.Helper()
	db := eventfold.OpenDB(eventfold.Config{
		Path: filepath.Join(t.TempDir(), "store"), Begin: true, Keyring: &sampleKeyring{},
	})
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, conn.Close())
		assert.NoError(t, db.Close())
	})
	return conn
}

// run runs one statement and returns its rows as text, as many as are wanted if it never ends by
// itself.
func run(t *testing.T, db *sql.Conn, text string, wanted int) (got []string, err error) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	parsed, err := parser.Parse(text)
	if err != nil {
		return nil, err
	}
	follow := false
	if s, ok := parsed.Statement.(*parser.Select); ok {
		follow = s.Follow
	}
	rows, err := db.QueryContext(ctx, text, arguments(parsed.Params)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for (!follow || len(got) < wanted) && rows.Next() {
		text, err := rowText(rows, len(names))
		if err != nil {
			return got, err
		}
		got = append(got, text)
	}
	return got, rows.Err()
}

// rowText is the row that rows are at, its values separated by bars.
func rowText(rows *sql.Rows, columns int) (string, error) {
	values, targets := make([]any, columns), make([]any, columns)
	for i := range values {
		targets[i] = &values[i]
	}
	if err := rows.Scan(targets...); err != nil {
		return "", err
	}
	cells := make([]string, columns)
	for i, v := range values {
		cells[i] = cell(v)
	}
	return strings.Join(cells, " | "), nil
}

func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case []byte:
		return string(v)
	case time.Time:
		return v.Format(time.RFC3339Nano)
	}
	return fmt.Sprint(v)
}

// arguments gives samples with placeholders something to run with.
func arguments(p parser.Params) (args []any) {
	for i := range p.Count {
		args = append(args, []any{"0", `{"amount": 1}`}[i%2])
	}
	for _, name := range p.Names {
		args = append(args, sql.Named(name, "0"))
	}
	return args
}

// compiles says whether a text is a statement whose names all exist.
func compiles(text string) error {
	parsed, err := parser.Parse(text)
	if err != nil {
		return err
	}
	_, err = query.Compile(parsed)
	return err
}

func TestSamplesOfTheReadme(t *testing.T) {
	texts, lines := blocks(t, "../README.md", "sql")
	require.NotEmpty(t, texts)
	for i := range texts {
		for _, s := range samples(texts[i], lines[i]) {
			assert.NoError(t, compiles(s.sql), "README.md:%d: %s", s.line, s.sql)
		}
	}
	found := 0
	goTexts, goLines := blocks(t, "../README.md", "go")
	for i, text := range goTexts {
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(text, -1) {
			if statement.MatchString(m[1]) {
				found++
				assert.NoError(t, compiles(m[1]), "README.md:%d: %s", goLines[i], m[1])
			}
		}
	}
	require.NotZero(t, found)
}

var statement = regexp.MustCompile(`^\s*(SELECT|INSERT|ERASE|FORGET|EXPECT|WITH|EXPLAIN|SHOW)\s`)

// notOurs are the examples' statements for another database.
var notOurs = regexp.MustCompile(`balance|(FROM|INTO) customer( VALUES|$)`)

func TestStatementsOfTheExamples(t *testing.T) {
	files, err := filepath.Glob("../examples/*/*.go")
	require.NoError(t, err)
	found := 0
	for _, file := range files {
		tree, err := goparser.ParseFile(token.NewFileSet(), file, nil, 0)
		require.NoError(t, err)
		ast.Inspect(tree, func(n ast.Node) bool {
			literal, ok := n.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(literal.Value)
			if err != nil || !statement.MatchString(text) || notOurs.MatchString(text) {
				return true
			}
			found++
			assert.NoError(t, compiles(text), "%s: %s", file, text)
			return true
		})
	}
	require.Greater(t, found, 10)
}
