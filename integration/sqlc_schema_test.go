package integration

import (
	"database/sql"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTheSchemaForSqlcIsThatOfTheStore makes the table of docs/tools.md in SQLite, which is what sqlc
// reads it for, and compares its columns with those of the store: names, order, and which may be NULL.
// The last one is only for INSERT.
func TestTheSchemaForSqlcIsThatOfTheStore(t *testing.T) {
	page, err := os.ReadFile("../docs/tools.md")
	require.NoError(t, err)
	schema := regexp.MustCompile("(?s)```sql schema\n(.*?)```").FindSubmatch(page)
	require.NotNil(t, schema)
	sqlite, err := sql.Open("sqlite", ":memory:")
	require.NoError(t, err)
	defer sqlite.Close()
	sqlite.SetMaxOpenConns(1)
	_, err = sqlite.Exec(string(schema[1]))
	require.NoError(t, err)
	declared, err := query(sqlite, `SELECT name, CASE "notnull" WHEN 1 THEN 'NO' ELSE 'YES' END FROM pragma_table_info('$all')`)
	require.NoError(t, err)
	stored, err := query(openStore(t), `SELECT column_name, is_nullable FROM information_schema.columns
		WHERE table_name = '$all' ORDER BY ordinal_position`)
	require.NoError(t, err)
	assert.Equal(t, answer(stored)+"; expected_version | YES", answer(declared))
}
