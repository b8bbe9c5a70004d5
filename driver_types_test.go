package eventfold_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
)

// A columnFact is what a column tells of itself, and the Go type of its values, nil among them if
// one is NULL.
type columnFact struct {
	expression string
	typeName   string
	scanType   reflect.Type
	nullable   bool
	values     string
}

// typeMatrix is what programs rely on; a change here breaks them. The rows are an event with a
// payload and one without.
var typeMatrix = []columnFact{
	{"position", "BIGINT", reflect.TypeFor[int64](), false, "int64 int64"},
	{"stream", "TEXT", reflect.TypeFor[string](), false, "string string"},
	{"version", "BIGINT", reflect.TypeFor[int64](), false, "int64 int64"},
	{"id", "TEXT", reflect.TypeFor[string](), false, "string string"},
	{"type", "TEXT", reflect.TypeFor[string](), false, "string string"},
	{"payload", "JSON", reflect.TypeFor[[]byte](), true, "[]uint8 <nil>"},
	{"metadata", "JSON", reflect.TypeFor[[]byte](), false, "[]uint8 []uint8"},
	{"tags", "JSON", reflect.TypeFor[[]byte](), false, "[]uint8 []uint8"},
	{"recorded_at", "TIMESTAMP", reflect.TypeFor[time.Time](), false, "time.Time time.Time"},
	{"event", "EVENT", reflect.TypeFor[eventfold.Event](), false, "*engine.Event *engine.Event"},
	{"payload->'$.n'", "JSON", reflect.TypeFor[[]byte](), true, "[]uint8 <nil>"},
	{"payload->>'$.n'", "ANY", reflect.TypeFor[any](), true, "int64 <nil>"},
	{"payload->>'$.s'", "ANY", reflect.TypeFor[any](), true, "string <nil>"},
	{"CAST(payload AS TEXT)", "TEXT", reflect.TypeFor[sql.NullString](), true, "string <nil>"},
	{"CAST(payload->>'$.n' AS INTEGER)", "BIGINT", reflect.TypeFor[sql.NullInt64](), true, "int64 <nil>"},
	{"CAST(payload->>'$.n' AS REAL)", "DOUBLE", reflect.TypeFor[sql.NullFloat64](), true, "float64 <nil>"},
	{"CAST(type AS BLOB)", "BLOB", reflect.TypeFor[[]byte](), false, "[]uint8 []uint8"},
	{"type || '!'", "TEXT", reflect.TypeFor[string](), false, "string string"},
	{"1.5", "DOUBLE", reflect.TypeFor[float64](), false, "float64 float64"},
	{"position = 0", "BIGINT", reflect.TypeFor[int64](), false, "int64 int64"},
	{"x'00'", "BLOB", reflect.TypeFor[[]byte](), false, "[]uint8 []uint8"},
}

var aggregateMatrix = []columnFact{
	{"COUNT(*)", "BIGINT", reflect.TypeFor[int64](), false, "int64"},
	{"MAX(position)", "BIGINT", reflect.TypeFor[sql.NullInt64](), true, "int64"},
	{"MIN(recorded_at)", "TIMESTAMP", reflect.TypeFor[sql.NullTime](), true, "time.Time"},
	{"MAX(type)", "TEXT", reflect.TypeFor[sql.NullString](), true, "string"},
	{"AVG(version)", "DOUBLE", reflect.TypeFor[sql.NullFloat64](), true, "float64"},
	{"TOTAL(version)", "DOUBLE", reflect.TypeFor[float64](), false, "float64"},
	{"GROUP_CONCAT(type)", "TEXT", reflect.TypeFor[sql.NullString](), true, "string"},
	{"GROUP_CONCAT(type ORDER BY version)", "TEXT", reflect.TypeFor[sql.NullString](), true, "string"},
	{"json_group_array(type)", "JSON", reflect.TypeFor[[]byte](), false, "[]uint8"},
	{"median(version)", "DOUBLE", reflect.TypeFor[sql.NullFloat64](), true, "float64"},
	{"median(recorded_at)", "TIMESTAMP", reflect.TypeFor[sql.NullTime](), true, "time.Time"},
	{"percentile_disc(version, 0.5)", "BIGINT", reflect.TypeFor[sql.NullInt64](), true, "int64"},
	{"max_by(type, version)", "TEXT", reflect.TypeFor[sql.NullString](), true, "string"},
	{"stddev_pop(version)", "DOUBLE", reflect.TypeFor[sql.NullFloat64](), true, "float64"},
	{"count_if(version > 0)", "BIGINT", reflect.TypeFor[int64](), false, "int64"},
}

func openTyped(t *testing.T, dsn string) *sql.DB {
	db := openDB(t, dsn)
	mustExec(t, db, `INSERT INTO a (type, payload) VALUES ('T', '{"n":1,"s":"x"}'), ('T', NULL)`)
	return db
}

// TestTypeMatrix holds that types are as listed, with rows and without, and that every ScanType
// takes every value of its column.
func TestTypeMatrix(t *testing.T) {
	db := openTyped(t, ":memory:")
	for _, where := range []string{"", " WHERE 1=0"} {
		for _, fact := range typeMatrix {
			checkColumn(t, db, fact, `SELECT `+fact.expression+` FROM a`+where, where == "")
		}
		for _, fact := range aggregateMatrix {
			checkColumn(t, db, fact, `SELECT `+fact.expression+` FROM a`+where, where == "")
		}
	}
}

func checkColumn(t *testing.T, db *sql.DB, fact columnFact, text string, withRows bool) {
	t.Helper()
	rows, err := db.Query(text)
	require.NoError(t, err, text)
	defer rows.Close()
	types, err := rows.ColumnTypes()
	require.NoError(t, err)
	require.Len(t, types, 1)
	got := types[0]
	assert.Equal(t, fact.typeName, got.DatabaseTypeName(), text)
	assert.Equal(t, fact.scanType, got.ScanType(), text)
	nullable, ok := got.Nullable()
	assert.True(t, ok)
	assert.Equal(t, fact.nullable, nullable, text)
	length, variable := got.Length()
	switch fact.typeName {
	case "TEXT", "JSON", "BLOB":
		assert.True(t, variable && length == math.MaxInt64, text)
	default:
		assert.False(t, variable, text)
	}
	_, _, decimal := got.DecimalSize()
	assert.False(t, decimal)

	values := ""
	for rows.Next() {
		var value any
		require.NoError(t, rows.Scan(&value))
		values += fmt.Sprintf(" %T", value)
		require.NoError(t, rows.Scan(reflect.New(got.ScanType()).Interface()), "%s into its ScanType", text)
	}
	require.NoError(t, rows.Err())
	if withRows {
		assert.Equal(t, " "+fact.values, values, text)
	}
}

func TestJSONText(t *testing.T) {
	db := openTyped(t, ":memory:?json=text")
	checkColumn(t, db, columnFact{"payload", "JSON", reflect.TypeFor[sql.NullString](), true, "string <nil>"},
		`SELECT payload FROM a`, true)
	checkColumn(t, db, columnFact{"metadata", "JSON", reflect.TypeFor[string](), false, "string string"},
		`SELECT metadata FROM a`, true)
}

func TestJSONScans(t *testing.T) {
	db := openTyped(t, ":memory:")
	var payload, metadata json.RawMessage
	require.NoError(t, db.QueryRow(`SELECT payload, metadata FROM a WHERE version = 0`).Scan(&payload, &metadata))
	assert.Equal(t, `{"n":1,"s":"x"}`, string(payload))
	assert.Equal(t, `{}`, string(metadata))
	assert.Equal(t, "x", one[string](t, db, `SELECT payload->>'$.s' FROM a WHERE version = 0`))
	assert.Equal(t, `"x"`, one[string](t, db, `SELECT payload->'s' FROM a WHERE version = 0`))
}

func TestColumnNames(t *testing.T) {
	db := openTyped(t, ":memory:")
	rows, err := db.Query(`SELECT *, COUNT(*) OVER () AS n, 1 + 1 FROM $all WHERE 1=0`)
	require.NoError(t, err)
	defer rows.Close()
	names, err := rows.Columns()
	require.NoError(t, err)
	assert.Equal(t, []string{
		"position", "stream", "version", "id", "type", "payload", "metadata", "tags", "recorded_at", "n", "1 + 1",
	}, names)
}

// TestBytesAreTheCallersOwn holds that what Scanners and RawBytes see is never written to again.
func TestBytesAreTheCallersOwn(t *testing.T) {
	db := openDB(t, t.TempDir())
	seed(t, db, 5000)
	rows, err := db.Query(`SELECT payload, stream FROM $all`)
	require.NoError(t, err)
	var kept []*keeper
	for rows.Next() {
		k := new(keeper)
		var stream string
		require.NoError(t, rows.Scan(k, &stream))
		kept = append(kept, k)
	}
	require.NoError(t, rows.Err())
	require.NoError(t, rows.Close())
	require.NoError(t, db.Close())
	for i, k := range kept {
		require.Equal(t, fmt.Sprintf(`{"n":%d,"who":"customer %d"}`, i, i%100), string(k.bytes))
	}
}

// A keeper is one of those Scanners that keep the slice they are given.
type keeper struct{ bytes []byte }

func (k *keeper) Scan(src any) error {
	k.bytes = src.([]byte)
	return nil
}
