package query

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
)

// A hintRow is what somebody writes who comes from elsewhere, what the error says, and what does it
// here.
type hintRow struct {
	text    string
	place   string // line:column
	words   string // a part of the error
	instead string // statements; "" if nothing does it
}

// hintRows reads a file of testdata/hints. A row begins with the text in a line without a tab in
// front, and its other parts stand in lines with one. In functions.txt a text is a call, and there is no place.
func hintRows(t *testing.T, file string) (rows []hintRow) {
	content, err := os.ReadFile("testdata/hints/" + file)
	require.NoError(t, err)
	for _, line := range strings.Split(strings.TrimSuffix(string(content), "\n"), "\n") {
		part, continued := strings.CutPrefix(line, "\t")
		if !continued {
			rows = append(rows, hintRow{text: line})
			continue
		}
		row := &rows[len(rows)-1]
		switch {
		case row.place == "" && file != "functions.txt":
			row.place = part
		case row.words == "":
			row.words = part
		default:
			row.instead = part
		}
	}
	return rows
}

// allHintRows are the rows of all files, as statements.
func allHintRows(t *testing.T) []hintRow {
	rows := append(hintRows(t, "statements.txt"), hintRows(t, "forms.txt")...)
	for _, row := range hintRows(t, "functions.txt") {
		row.text, row.place = "SELECT "+row.text+" FROM $all", "1:8"
		rows = append(rows, row)
	}
	return rows
}

// TestWhatIsKnownElsewhereIsToldWhatToWrite: the error stands at what is not of this dialect and says
// what to write, and what it says can be run.
func TestWhatIsKnownElsewhereIsToldWhatToWrite(t *testing.T) {
	rows := allHintRows(t)
	require.Greater(t, len(rows), 500)
	seen := map[string]bool{}
	for _, row := range rows {
		assert.False(t, seen[row.text], "%s stands there twice", row.text)
		seen[row.text] = true
		place, text := refusal(row.text)
		assert.Equal(t, row.place, place, "%s\n%s", row.text, text)
		assert.Contains(t, text, row.words, row.text)
	}
}

// TestWhatHintsSayToWriteRuns on a store of a few events.
func TestWhatHintsSayToWriteRuns(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 20)
	ran := map[string]bool{}
	for _, row := range allHintRows(t) {
		text := row.instead
		if text == "" || ran[text] {
			continue
		}
		ran[text] = true
		if _, err := parser.Parse(text); err != nil {
			text = "SELECT " + text + " FROM $all"
		}
		s := &Session{Store: store}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if strings.Contains(text, "FOLLOW") {
			cancel() // it has no end
		}
		if _, err := runText(ctx, s, text, nil); !errors.Is(err, context.Canceled) {
			assert.NoError(t, err, "%s\n%s", row.text, text)
		}
		cancel()
		if s.Tx != nil {
			s.Tx.Rollback()
		}
	}
	require.Greater(t, len(ran), 200)
}

// TestEveryFunctionWithAHintHasARow: no hint is without a test, and none is for a function that is
// there.
func TestEveryFunctionWithAHintHasARow(t *testing.T) {
	rows := map[string]bool{}
	for _, row := range hintRows(t, "functions.txt") {
		name, _, _ := strings.Cut(row.text, "(")
		rows[name] = true
	}
	known := map[string]bool{}
	for _, name := range expr.Names() {
		known[name] = true
	}
	for name := range expr.FunctionHints() {
		assert.True(t, rows[name], "testdata/hints/functions.txt has no row for %s", name)
		assert.False(t, known[name] || aggregates[name] != nil || windowFuncs[name] != nil, "%s is a function", name)
	}
}

// refusal returns the place and the text of the error of a statement.
func refusal(text string) (place, msg string) {
	parsed, err := parser.Parse(text)
	if err == nil {
		_, err = Compile(parsed)
	}
	var syntax *parser.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Sprintf("%d:%d", syntax.Line, syntax.Column), err.Error()
	}
	var e *Error
	if errors.As(err, &e) {
		line, column := parser.Locate(text, e.Pos)
		return fmt.Sprintf("%d:%d", line, column), err.Error()
	}
	return "", "there is no error"
}
