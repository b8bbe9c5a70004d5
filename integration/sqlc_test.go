package integration

import (
	"context"
	"database/sql"
	"encoding/json"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
)

// What follows has the shape of what sqlc generates: queries with their names in a comment,
// prepared once, run on a database or in a transaction. sqlc's own parser knows no EXPECTING, so
// the expected version is a column.

type dbtx interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	PrepareContext(context.Context, string) (*sql.Stmt, error)
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

type generatedQueries struct {
	db   dbtx
	tx   *sql.Tx
	read *sql.Stmt
}

func (q *generatedQueries) withTx(tx *sql.Tx) *generatedQueries {
	return &generatedQueries{db: tx, tx: tx, read: tx.Stmt(q.read)}
}

const appendEvent = `-- name: AppendEvent :execresult
INSERT INTO "$all" (
  stream, type, payload, id, expected_version
) VALUES (
  ?, ?, ?, ?, ?
)
`

type appendEventParams struct {
	Stream          string
	Type            string
	Payload         json.RawMessage
	ID              uuid.UUID
	ExpectedVersion any
}

func (q *generatedQueries) appendEvent(ctx context.Context, arg appendEventParams) (sql.Result, error) {
	return q.db.ExecContext(ctx, appendEvent, arg.Stream, arg.Type, arg.Payload, arg.ID, arg.ExpectedVersion)
}

const readStream = `-- name: ReadStream :many
SELECT position, version, type, payload FROM "$all"
WHERE stream = ?1 AND version >= ?2
ORDER BY version
`

type readStreamRow struct {
	Position sql.NullInt64
	Version  int64
	Type     string
	Payload  []byte
}

func (q *generatedQueries) readStream(ctx context.Context, stream string, from int64) ([]readStreamRow, error) {
	rows, err := q.read.QueryContext(ctx, stream, from)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var items []readStreamRow
	for rows.Next() {
		var i readStreamRow
		if err := rows.Scan(&i.Position, &i.Version, &i.Type, &i.Payload); err != nil {
			return nil, err
		}
		items = append(items, i)
	}
	if err := rows.Close(); err != nil {
		return nil, err
	}
	return items, rows.Err()
}

const countByType = `-- name: CountByType :one
SELECT COUNT(*) AS n FROM "$all" WHERE type IN (/*SLICE:types*/?, ?) -- a list is written out
`

// TestSQLCStyle runs generated code on a database and in a transaction.
func TestSQLCStyle(t *testing.T) {
	db := openStore(t)
	ctx := t.Context()
	read, err := db.PrepareContext(ctx, readStream)
	require.NoError(t, err)
	defer read.Close()
	q := &generatedQueries{db: db, read: read}

	opened := appendEventParams{
		Stream:          "account-7",
		Type:            "Opened",
		Payload:         json.RawMessage(`{"owner": "Ada"}`),
		ID:              uuid.New(),
		ExpectedVersion: "no stream",
	}
	for _, written := range []int64{1, 0} { // the second is a retry
		result, err := q.appendEvent(ctx, opened)
		require.NoError(t, err)
		n, err := result.RowsAffected()
		require.NoError(t, err)
		assert.Equal(t, written, n)
	}
	opened.ID = uuid.New()
	_, err = q.appendEvent(ctx, opened)
	requireConflict(t, err, "account-7", 0)

	tx, err := db.BeginTx(ctx, nil)
	require.NoError(t, err)
	defer tx.Rollback()
	in := q.withTx(tx)
	_, err = in.appendEvent(ctx, appendEventParams{
		Stream:          "account-7",
		Type:            "Closed",
		ID:              uuid.New(),
		ExpectedVersion: 0,
	})
	require.NoError(t, err)
	items, err := in.readStream(ctx, "account-7", 1)
	require.NoError(t, err)
	assert.Equal(t, []readStreamRow{{Version: 1, Type: "Closed"}}, items)
	require.NoError(t, tx.Commit())
	items, err = q.readStream(ctx, "account-7", 1)
	require.NoError(t, err)
	assert.Equal(t, []readStreamRow{{Position: sql.NullInt64{Int64: 1, Valid: true}, Version: 1, Type: "Closed"}},
		items)
	var n int
	require.NoError(t, db.QueryRowContext(ctx, countByType, "Opened", "Closed").Scan(&n))
	assert.Equal(t, 2, n)

	var e *eventfold.Error
	_, err = db.PrepareContext(ctx, "-- name: Wrong :one\nSELECT tipe FROM \"$all\"")
	require.ErrorAs(t, err, &e)
	assert.Equal(t, [2]int{2, 8}, [2]int{e.Line, e.Column})
	assert.Equal(t, "SELECT tipe FROM \"$all\"\n       ^", e.SQL)
}

// TestIntrospection asks what the reader of information_schema in xo/usql asks, word for word, as
// \dn, \dt and \d do, and what programs send to look at a database they do not know.
func TestIntrospection(t *testing.T) {
	db := openStore(t)
	_, err := db.Exec(`INSERT INTO "order-1" (type) VALUES ('Placed')`)
	require.NoError(t, err)
	tests := []struct {
		sql  string
		args []any
		want string
	}{
		{"SELECT\n  schema_name,\n  catalog_name\nFROM information_schema.schemata\n\nWHERE schema_name NOT IN " +
			"(?)\nORDER BY catalog_name, schema_name",
			[]any{"information_schema"}, "main | eventfold; views | eventfold"},
		{"SELECT\n  table_catalog,\n  table_schema,\n  table_name,\n  table_type\nFROM information_schema.tables\n " +
			"WHERE table_schema NOT IN (?) AND table_type IN (?, ?, ?, ?, ?)\nORDER BY table_catalog, table_schema, " +
			"table_type, table_name",
			[]any{"information_schema", "TABLE", "BASE TABLE", "SYSTEM TABLE", "SYNONYM", "VIEW"},
			"eventfold | main | $all | BASE TABLE; eventfold | main | $erasures | VIEW; " +
				"eventfold | main | $followers | VIEW; eventfold | main | $functions | VIEW; eventfold | main | $stats | " +
				"VIEW; eventfold | main | $streams | VIEW; eventfold | main | $types | VIEW; eventfold | main | $views | VIEW"},
		{"SELECT\n  table_catalog,\n  table_schema,\n  table_name,\n  table_type\nFROM information_schema.tables\n " +
			"WHERE table_schema NOT IN (?) AND table_name LIKE ?\nORDER BY table_catalog, table_schema, table_type, " +
			"table_name",
			[]any{"information_schema", "$al%"}, "eventfold | main | $all | BASE TABLE"},
		{"SELECT\n  table_catalog,\n  table_schema,\n  table_name,\n  column_name,\n  ordinal_position,\n  " +
			"data_type,\n  COALESCE(column_default, ''),\n  COALESCE(is_nullable, '') AS is_nullable,\n" +
			"  COALESCE(character_maximum_length, numeric_precision, datetime_precision, 0),\n  " +
			"COALESCE(numeric_scale, 0),\n  COALESCE(numeric_precision_radix, 10),\n  " +
			"COALESCE(character_octet_length, 0) FROM information_schema.columns\n\n" +
			"WHERE table_schema LIKE ? AND table_schema NOT IN (?) AND table_name LIKE ?\nORDER BY table_catalog, " +
			"table_schema, table_name, ordinal_position LIMIT 1000",
			[]any{"main", "information_schema", "$types"},
			"eventfold | main | $types | type | 1 | TEXT |  | NO | 0 | 0 | 10 | 0; eventfold | main | $types | " +
				"events | 2 | BIGINT |  | NO | 64 | 0 | 2 | 0; " +
				"eventfold | main | $types | first_position | 3 | BIGINT |  | YES | 64 | 0 | 2 | 0; eventfold | main " +
				"| $types | last_position | 4 | BIGINT |  | YES | 64 | 0 | 2 | 0"},
		{"SELECT version();", nil, "eventfold 1.0"},
		{"SELECT current_user", nil, "eventfold"},
		{"SELECT 1", nil, "1"},
		{`SELECT * FROM "order-1" WHERE 1=0`, nil, ""},
		{`SELECT "main"."$all"."type", COUNT(*) AS "count" FROM "main"."$all" GROUP BY "main"."$all"."type" ORDER BY ` +
			`"count" DESC LIMIT 2000`, nil, "Placed | 1"},
		{`SELECT stream, category FROM $streams WHERE category = ? LIMIT 1000`, []any{"order"}, "order-1 | order"},
	}
	for _, tt := range tests {
		rows, err := query(db, tt.sql, tt.args...)
		if assert.NoError(t, err, tt.sql) {
			assert.Equal(t, tt.want, answer(rows), tt.sql)
		}
	}
}
