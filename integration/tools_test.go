package integration

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/Masterminds/squirrel"
	"github.com/doug-martin/goqu/v9"
	"github.com/georgysavva/scany/v2/sqlscan"
	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
)

// storedEvent is a row of an event table as programs declare it for scanners.
type storedEvent struct {
	Position   int64           `db:"position"`
	Stream     string          `db:"stream"`
	Version    int64           `db:"version"`
	ID         uuid.UUID       `db:"id"`
	Type       string          `db:"type"`
	Payload    json.RawMessage `db:"payload"`
	Metadata   json.RawMessage `db:"metadata"`
	Tags       json.RawMessage `db:"tags"`
	RecordedAt time.Time       `db:"recorded_at"`
}

// openStore opens a store on disk that ends with the test.
func openStore(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("eventfold", filepath.Join(t.TempDir(), "store"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

// requireConflict holds that an error tells that the stream was not at the version its writer
// expected, however it was wrapped.
func requireConflict(t *testing.T, err error, stream string, actual eventfold.Version) {
	t.Helper()
	require.ErrorIs(t, err, eventfold.ErrVersionConflict)
	var conflict *eventfold.ConflictError
	require.ErrorAs(t, err, &conflict)
	require.Len(t, conflict.Checks, 1)
	assert.Equal(t, stream, conflict.Checks[0].Stream)
	assert.Equal(t, actual, conflict.Checks[0].Actual)
	var state interface{ SQLState() string }
	require.ErrorAs(t, err, &state)
	assert.Equal(t, "40001", state.SQLState())
}

// nexter is what *sql.Rows and the rows of tools have in common.
type nexter interface {
	Next() bool
	Err() error
	Close() error
}

// requireFollow reads the rows of a FOLLOW that are there, then cancels it while it waits for more.
func requireFollow(t *testing.T, cancel context.CancelFunc, rows nexter, there int) {
	t.Helper()
	defer rows.Close()
	for range there {
		require.True(t, rows.Next(), "%v", rows.Err())
	}
	timer := time.AfterFunc(20*time.Millisecond, cancel) // Next waits by then, or will find the context ended
	defer timer.Stop()
	assert.False(t, rows.Next())
	assert.ErrorIs(t, rows.Err(), context.Canceled)
}

// TestSqlx: struct scans, named arguments, bulk inserts that keep what stands behind VALUES, In and
// Rebind.
func TestSqlx(t *testing.T) {
	sqlx.BindDriver("eventfold", sqlx.QUESTION)
	db := sqlx.NewDb(openStore(t), "eventfold")
	require.NoError(t, db.Ping())

	opened := []map[string]any{
		{"type": "Opened", "payload": `{"owner": "Ada"}`}, {"type": "Deposited", "payload": `{"amount": 40}`},
	}
	result, err := db.NamedExec(`INSERT INTO "account-7" (type, payload) VALUES (:type, :payload) EXPECTING NO STREAM`,
		opened)
	require.NoError(t, err)
	affected, err := result.RowsAffected()
	require.NoError(t, err)
	assert.EqualValues(t, 2, affected)
	last, err := result.LastInsertId()
	require.NoError(t, err)
	assert.EqualValues(t, 1, last)
	_, err = db.NamedExec(`INSERT INTO "account-7" (type, payload) VALUES (:type, :payload) EXPECTING NO STREAM`,
		opened)
	requireConflict(t, err, "account-7", 1)

	var events []storedEvent
	require.NoError(t, db.Select(&events, `SELECT * FROM "account-7" WHERE version >= ? ORDER BY version`, 0))
	require.Len(t, events, 2)
	assert.JSONEq(t, `{"amount": 40}`, string(events[1].Payload))
	assert.Equal(t, time.UTC, events[1].RecordedAt.Location())

	text, args, err := sqlx.In("SELECT type FROM $all WHERE type IN (?) AND stream = ? ORDER BY position", []string{
		"Opened", "Deposited",
	}, "account-7")
	require.NoError(t, err)
	var types []string
	require.NoError(t, db.Select(&types, db.Rebind(text), args...))
	assert.Equal(t, []string{"Opened", "Deposited"}, types)

	statement, err := db.PrepareNamed(`SELECT COUNT(*) AS n, SUM(payload->>'$.amount') AS total FROM $all WHERE type ` +
		`= :type`)
	require.NoError(t, err)
	defer statement.Close()
	var sums struct {
		N     int
		Total sql.NullFloat64
	}
	require.NoError(t, statement.Get(&sums, map[string]any{"type": "Deposited"}))
	assert.Equal(t, 40.0, sums.Total.Float64)

	tx, err := db.Beginx()
	require.NoError(t, err)
	_, err = tx.NamedExec(`INSERT INTO "account-7" (type) VALUES (:type)`, map[string]any{"type": "Closed"})
	require.NoError(t, err)
	own := map[string]any{}
	require.NoError(t, tx.QueryRowx(`SELECT version, position FROM "account-7" WHERE type = 'Closed'`).MapScan(own))
	assert.Equal(t, map[string]any{"version": nil, "position": nil}, own)
	require.NoError(t, tx.Rollback())

	ctx, cancel := context.WithCancel(t.Context())
	rows, err := db.QueryxContext(ctx, `SELECT type FROM "account-7" FOLLOW`)
	require.NoError(t, err)
	requireFollow(t, cancel, rows, 2)
}

// TestSquirrel: clauses of ours go in as suffixes, and $all needs no quotes.
func TestSquirrel(t *testing.T) {
	db := openStore(t)
	builder := squirrel.StatementBuilder.RunWith(squirrel.NewStmtCacher(db))
	deposit := builder.Insert(`"account-7"`).Columns("type", "payload").Values("Deposited", `{"amount": 40}`)
	var position int64
	require.NoError(t, deposit.Suffix("EXPECTING NO STREAM RETURNING position").QueryRow().Scan(&position))
	assert.EqualValues(t, 0, position)
	_, err := deposit.Suffix("EXPECTING VERSION ?", 0).Exec()
	require.NoError(t, err)
	_, err = deposit.Suffix("EXPECTING VERSION ?", 0).Exec()
	requireConflict(t, err, "account-7", 1)

	query := builder.Select("stream", "COUNT(*)", "SUM(payload->>'$.amount')").From("$all").
		Where(squirrel.Eq{"type": []string{"Deposited", "Withdrawn"}}).Where(squirrel.GtOrEq{"position": 0}).
		GroupBy("stream").Having("COUNT(*) > ?", 1).OrderBy("stream DESC").Limit(5).Offset(0)
	var stream string
	var n int
	var sum float64
	require.NoError(t, query.QueryRow().Scan(&stream, &n, &sum))
	assert.Equal(t, "account-7", stream)
	assert.Equal(t, 80.0, sum)

	dollars := squirrel.Select("version").From("$all").Where(squirrel.Eq{"stream": "account-7"}).
		PlaceholderFormat(squirrel.Dollar).Suffix("FOLLOW")
	text, args, err := dollars.ToSql()
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	rows, err := db.QueryContext(ctx, text, args...)
	require.NoError(t, err)
	requireFollow(t, cancel, rows, 2)
}

// TestGoqu: every name is quoted, every argument is written into the text, columns come in
// alphabetical order, and a clause behind VALUES cannot be written: expected_version is for such
// builders.
func TestGoqu(t *testing.T) {
	raw := openStore(t)
	db := goqu.New("default", raw)
	insert := func(version any) error {
		_, err := db.Insert("account-7").Rows(goqu.Record{
			"type": "Deposited", "payload": `{"amount": 40, "note": "it's"}`, "expected_version": version,
		}).Executor().Exec()
		return err
	}
	require.NoError(t, insert("no stream"))
	require.NoError(t, insert(0))
	requireConflict(t, insert(0), "account-7", 1)

	var events []struct {
		Version int64  `db:"version"`
		Type    string `db:"type"`
		Note    string `db:"note"`
	}
	err := db.From("$all").Select("version", "type", goqu.L("payload->>'$.note'").As("note")).
		Where(goqu.C("stream").Eq("account-7"), goqu.C("recorded_at").Gt(time.Unix(0, 0)),
			goqu.Or(goqu.C("version").In(0, 1), goqu.C("type").Like("X%"))).
		Order(goqu.C("version").Desc()).Limit(10).ScanStructs(&events)
	require.NoError(t, err)
	require.Len(t, events, 2)
	assert.Equal(t, "it's", events[0].Note)
	n, err := db.From("account-7").Where(goqu.C("recorded_at").Lt(time.Now().Add(time.Hour).UTC())).Count()
	require.NoError(t, err)
	assert.EqualValues(t, 2, n)

	text, args, err := db.From("account-7").Prepared(true).Where(goqu.C("version").Gte(1)).ToSQL()
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	rows, err := raw.QueryContext(ctx, text+" FOLLOW", args...)
	require.NoError(t, err)
	requireFollow(t, cancel, rows, 1)
}

// TestScany scans by the names of the columns.
func TestScany(t *testing.T) {
	db := openStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	id := uuid.New()
	var placed struct {
		Position  int64
		Version   int64
		Duplicate bool
	}
	for _, duplicate := range []bool{false, true} {
		err := sqlscan.Get(ctx, db, &placed, `INSERT INTO "order-1" (type, payload, id) VALUES (?, ?, ?) EXPECTING `+
			`NO STREAM RETURNING position, version, duplicate`,
			"Placed", eventfold.JSON(map[string]int{"total": 12}), id)
		require.NoError(t, err)
		assert.Equal(t, duplicate, placed.Duplicate)
	}
	err := sqlscan.Get(ctx, db, &placed,
		`INSERT INTO "order-1" (type) VALUES (?) EXPECTING VERSION 7 RETURNING position, version, duplicate`, "Paid")
	requireConflict(t, err, "order-1", 0)

	var events []storedEvent
	require.NoError(t, sqlscan.Select(ctx, db, &events, "SELECT * FROM $all WHERE id = $1", id))
	require.Len(t, events, 1)
	assert.Equal(t, id, events[0].ID)
	var missing storedEvent
	assert.True(t, errors.Is(sqlscan.Get(ctx, db, &missing, `SELECT * FROM "order-2"`), sql.ErrNoRows))

	rows, err := db.QueryContext(ctx, "SELECT * FROM $all FOLLOW")
	require.NoError(t, err)
	requireFollow(t, cancel, rows, 1)
}
