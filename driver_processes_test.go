package eventfold_test

import (
	"bufio"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestTranscriptsOfSeveralProcesses runs the transcripts in testdata/processes: "process NAME
// [parameters of the data source name]" says where the statements behind it run, each process being
// another one of the operating system with the same store. Behind a line of dashes stands what the
// statement gives. Besides statements there are "open QUERY", which reads the first row of a query,
// "rest", which reads the other ones, and "wait QUERY", which asks until the answer is the one that
// stands there.
func TestTranscriptsOfSeveralProcesses(t *testing.T) {
	files, err := filepath.Glob("testdata/processes/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			runTranscript(t, string(text))
		})
	}
}

func runTranscript(t *testing.T, text string) {
	dir := filepath.Join(t.TempDir(), "store")
	running := map[string]*process{}
	var p *process
	for _, part := range strings.Split(strings.TrimSpace(text), "\n\n") {
		lines := strings.Split(part, "\n")
		for strings.HasPrefix(lines[0], "#") {
			lines = lines[1:]
		}
		if rest, ok := strings.CutPrefix(lines[0], "process "); ok {
			name, parameters, _ := strings.Cut(rest, " ")
			if p = running[name]; p == nil {
				p = otherProcess(t, "statements", dir+parameters)
				running[name] = p
			}
			lines = lines[1:]
		}
		statement, want, ok := strings.Cut(strings.Join(lines, "\n"), "\n----")
		require.True(t, ok, "no answer: %s", part)
		want = strings.TrimPrefix(want, "\n")
		query, wait := strings.CutPrefix(statement, "wait ")
		got := p.ask(t, query)
		for began := time.Now(); wait && got != want && time.Since(began) < time.Minute; got = p.ask(t, query) {
			time.Sleep(5 * time.Millisecond)
		}
		require.Equal(t, want, got, "%s", statement)
	}
	for name, p := range running {
		require.NoError(t, p.end(), name)
	}
}

// ask has a process that runs runStatements run one, and returns its answer.
func (p *process) ask(t *testing.T, statement string) (answer string) {
	line, err := json.Marshal(statement)
	require.NoError(t, err)
	_, err = fmt.Fprintf(p.input, "%s\n", line)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal([]byte(p.line()), &answer))
	return answer
}

// runStatements is another process: it runs the statements of its input, and prints the answers,
// each a line of JSON.
func runStatements(db *sql.DB) error {
	in := bufio.NewScanner(os.Stdin)
	var open *sql.Rows
	for in.Scan() {
		var statement string
		if err := json.Unmarshal(in.Bytes(), &statement); err != nil {
			return err
		}
		var answer string
		var err error
		if query, ok := strings.CutPrefix(statement, "open "); ok {
			if open, err = db.Query(query); err == nil {
				answer, err = printRows(open, 1)
			}
		} else if statement == "rest" {
			answer, err = printRows(open, -1)
		} else {
			answer, err = answerOf(db, statement)
		}
		if err != nil {
			answer = "error: " + err.Error()
		}
		line, err := json.Marshal(answer)
		if err != nil {
			return err
		}
		fmt.Printf("%s\n", line)
	}
	return in.Err()
}

// answerOf runs a statement.
func answerOf(db *sql.DB, statement string) (string, error) {
	word, _, _ := strings.Cut(statement, " ")
	if word != "SELECT" && word != "EXPLAIN" && word != "VERIFY" {
		result, err := db.Exec(statement)
		if err != nil {
			return "", err
		}
		n, err := result.RowsAffected()
		return fmt.Sprintf("ok, %d rows", n), err
	}
	rows, err := db.Query(statement)
	if err != nil {
		return "", err
	}
	answer, err := printRows(rows, -1)
	if word == "VERIFY" { // how many bytes there are depends on the numbers of processes
		answer, _, _ = strings.Cut(answer, " ")
	}
	return answer, err
}

// printRows reads n rows, or all of them if n is negative, and closes them in the end.
func printRows(rows *sql.Rows, n int) (string, error) {
	columns, err := rows.Columns()
	if err != nil {
		return "", err
	}
	values := make([]sql.NullString, len(columns))
	into := make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	var lines []string
	for len(lines) != n && rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return "", err
		}
		var cells []string
		for _, v := range values {
			if !v.Valid {
				v.String = "NULL"
			}
			cells = append(cells, v.String)
		}
		lines = append(lines, strings.Join(cells, " | "))
	}
	if n < 0 {
		err = rows.Close()
	}
	if rows.Err() != nil {
		err = rows.Err()
	}
	return strings.Join(lines, "\n"), err
}
