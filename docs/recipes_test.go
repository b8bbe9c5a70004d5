package docs

import (
	"bufio"
	"database/sql"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSamplesOfTheRecipes runs recipes.md from top to bottom over the history that it is about.
func TestSamplesOfTheRecipes(t *testing.T) { runPage(t, openHistory(t), "recipes.md", "sql") }

// openHistory returns a store with the events of testdata/history.jsonl: the commits of a repository
// and the pull requests that some of them were, in the order in which they happened.
func openHistory(t *testing.T) *sql.Conn {
	t.Helper()
	db := open(t)
	file, err := os.Open("testdata/history.jsonl")
	require.NoError(t, err)
	defer file.Close()
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var e struct {
			Stream, Type  string
			Payload, Tags json.RawMessage
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &e))
		_, err = tx.ExecContext(t.Context(), "INSERT INTO $all (stream, type, payload, tags) VALUES (?, ?, ?, ?)",
			e.Stream, e.Type, []byte(e.Payload), string(e.Tags))
		require.NoError(t, err)
	}
	require.NoError(t, tx.Commit())
	return db
}

// TestRecipesAreShortAndAnswered: there are at least thirty, each has a heading that the contents
// lead to, a statement of at most twelve lines, and an answer.
func TestRecipesAreShortAndAnswered(t *testing.T) {
	content, err := os.ReadFile("recipes.md")
	require.NoError(t, err)
	_, recipes, found := strings.Cut(string(content), "\n## ")
	require.True(t, found)
	sections := strings.Split(recipes, "\n## ")
	assert.GreaterOrEqual(t, len(sections), 30)
	for _, section := range sections {
		title, text, _ := strings.Cut(section, "\n")
		anchor := strings.ReplaceAll(notOfAnAnchor.ReplaceAllString(strings.ToLower(title), ""), " ", "-")
		assert.Contains(t, string(content), "["+title+"](#"+anchor+")", "the contents name it")
		_, block, found := strings.Cut(text, "```sql\n")
		assert.True(t, found, "%s has a statement", title)
		block, _, _ = strings.Cut(block, "\n```")
		statements := samples(block, 1)
		lines := 0
		for _, s := range statements {
			lines += strings.Count(s.sql, "\n")
		}
		assert.LessOrEqual(t, lines, 12, title)
		assert.NotEmpty(t, statements[len(statements)-1].want, "%s has an answer", title)
	}
}

var notOfAnAnchor = regexp.MustCompile(`[^a-z0-9 -]`)
