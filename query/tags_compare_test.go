package query

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/filestore"
)

func TestTagsAreNotComparedWithOneTag(t *testing.T) {
	session := &Session{Store: openStore(t, filestore.Options{})}
	exec(t, session, `INSERT INTO s (type, tags) VALUES ('A', '["a", "b"]'), ('B', '["c"]'), ('C', NULL)`)
	try := func(text string, args ...any) ([]string, error) {
		return tryRows(context.Background(), session, text, args...)
	}
	for text, hint := range map[string]string{
		"tags = 'a'": "HAS(tags, 'a')", "'a' = tags": "HAS(tags, 'a')", "tags <> 'a'": "HAS(tags, 'a')",
		"tags IS 'a'": "HAS(tags, 'a')", "tags IN ('a', 'b')": "HAS(tags, 'a')",
		"tags IN ('[\"a\"]', 'b')": "HAS(tags, 'b')", "tags NOT IN ('a')": "HAS(tags, 'a')",
		"'a' IN (tags)":      "HAS(tags, 'a')",
		"tags = '{\"a\":1}'": "HAS", "tags = ''": "HAS(tags, '')", "tags = '[a]'": "HAS",
		"t.tags = 'it''s'": "HAS(tags, 'it''s')", "tags BETWEEN 'a' AND 'b'": "HAS",
		"CASE tags WHEN 'a' THEN 1 END": "HAS", "tags LIKE 'a'": "HAS(tags, 'a')",
		"tags LIKE 'a%'": "HAS(tags, 'a')", "like('a', tags)": "HAS",
		"tags = lower('A')": "HAS(tags, 'a')",
	} {
		_, err := try("SELECT position FROM $all AS t WHERE " + text)
		assert.ErrorContains(t, err, hint, text)
	}
	for _, text := range []string{"SELECT 1 FROM (SELECT tags AS x FROM $all) AS d WHERE x = 'a'",
		"WITH c AS (SELECT tags FROM $all) SELECT 1 FROM c WHERE 'a' = tags", "SELECT tags, COUNT(*) FROM $all GROUP BY tags HAVING tags = 'a'"} {
		_, err := try(text)
		assert.ErrorContains(t, err, "HAS(tags, 'a')", text)
	}
	for text, args := range map[string][]any{"tags = ?": {"a"}, "tags IN (?, ?)": {`["a"]`, "a"},
		"? = tags": {[]byte("a")}} {
		_, err := try("SELECT position FROM $all WHERE "+text, args...)
		assert.ErrorContains(t, err, "HAS(tags, 'a')", text)
	}
	for text, want := range map[string]int{
		`tags = '["a","b"]'`: 1, `tags = '[]'`: 1, `tags IN ('["c"]', '[]')`: 2, `tags LIKE '%"a"%'`: 1, `tags LIKE '["c%'`: 1, `tags = tags`: 3, `tags IS NULL`: 0, `payload = 'a'`: 0, `tags ->> 0 = 'a'`: 1, `tags = payload`: 0,
	} {
		rows, err := try("SELECT position FROM $all WHERE " + text)
		require.NoError(t, err, text)
		assert.Len(t, rows, want, text)
	}
}
