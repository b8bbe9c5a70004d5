package integration

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/query/sqllogic"
)

// sqliteFile runs the records of a file on SQLite. It implements sqllogic.Database.
type sqliteFile struct{ db *sql.DB }

func (s sqliteFile) Exec(text string) error {
	_, err := s.db.Exec(text)
	return err
}

func (s sqliteFile) Query(text string) ([][]any, error) {
	return readRows(s.db, func([]*sql.ColumnType, []any) error { return nil }, text)
}

func (s sqliteFile) Sort(error) sqllogic.Sort { return sqllogic.Invalid }

// TestSQLiteAnswersTheFilesOfQuery holds that the expected answers of query/testdata/slt are true:
// SQLite gives all of them.
func TestSQLiteAnswersTheFilesOfQuery(t *testing.T) {
	files, err := filepath.Glob("../query/testdata/slt/*.slt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, path := range files {
		file, err := os.Open(path)
		require.NoError(t, err)
		db, err := sql.Open("sqlite", "file::memory:")
		require.NoError(t, err)
		db.SetMaxOpenConns(1) // each connection would have a database of its own
		c, err := sqllogic.Run(file, sqliteFile{db}, func(line int, text string) {
			t.Errorf("%s:%d: %s", path, line, text)
		})
		require.NoError(t, err)
		assert.NoError(t, db.Close())
		assert.NoError(t, file.Close())
		assert.Positive(t, c.Passed, path)
		assert.Zero(t, c.Wrong+c.Refused, "%s: %v", path, c)
	}
}
