package eventfold_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
)

// What is nil in Go is NULL, whatever its type; what is empty stays what it is.
func TestNilArgumentsAreNull(t *testing.T) {
	db := openDB(t, ":memory:")
	type bytes []byte
	for _, nothing := range []any{nil, []int(nil), []string(nil), []byte(nil), bytes(nil), json.RawMessage(nil),
		map[string]int(nil),
		(*int)(nil), (*string)(nil), (*[]string)(nil), (*uuid.UUID)(nil), (*time.Time)(nil), (*[16]byte)(nil),
		eventfold.Tags(nil)} {
		var null bool
		require.NoError(t, db.QueryRow(`SELECT ? IS NULL`, nothing).Scan(&null), "%T", nothing)
		assert.True(t, null, "%T", nothing)
	}
	full := []string{"a"}
	for want, something := range map[string]any{"[]": []int{}, `["a"]`: &full, "": bytes{},
		"{}": eventfold.JSON(map[string]int{})} {
		var got string
		require.NoError(t, db.QueryRow(`SELECT ?`, something).Scan(&got), "%T", something)
		assert.Equal(t, want, got)
	}
	assert.Equal(t, []int64{1}, column[int64](t, db, `SELECT 1 NOT IN (?)`, []int(nil)),
		"a list of nothing is a list all the same")
	for _, no := range []any{map[string]int{"a": 1}, struct{ A int }{1}, &struct{ A int }{1}} {
		_, err := db.Query(`SELECT ?`, no)
		assert.ErrorIs(t, err, eventfold.ErrArgument)
		assert.ErrorContains(t, err, "eventfold.JSON")
	}
}

// Payload and metadata store what a Go value means in JSON.
func TestBoolsAndTimesAreStoredAsJSON(t *testing.T) {
	for _, dsn := range []string{":memory:", ":memory:?json=require"} {
		db := openDB(t, dsn)
		at := time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.FixedZone("", 3600))
		for _, v := range []any{true, false, at, 7, 1.5, "[1]"} {
			_, err := db.Exec(`INSERT INTO s (type, payload, metadata) VALUES ('A', ?, ?)`, v, v)
			require.NoError(t, err)
		}
		want := []string{`true`, `false`, `"2026-03-04T04:06:07.123456Z"`, `7`, `1.5`, `[1]`}
		assert.Equal(t, want, column[string](t, db, `SELECT payload FROM s`))
		assert.Equal(t, want, column[string](t, db, `SELECT metadata FROM s`))
		assert.Equal(t, []int64{6}, column[int64](t, db, `SELECT SUM(json_valid(payload)) FROM s`))
		assert.Equal(t, []string{"1"}, column[string](t, db, `SELECT ? || ''`, true),
			"elsewhere a truth is a number, as in SQLite")
	}
}

// json=require refuses what is no JSON, and says where it is wrong: in the statement and in the
// text.
func TestJSONRequireRefusesAPayloadThatIsNoJSON(t *testing.T) {
	db := openDB(t, ":memory:?json=text,require")
	for _, lax := range []string{`{a:1}`, `{'a': 1}`, `[1,]`, `{"a": +1}`, `{"a": 1} // x`, `NaN`, `0x1F`, ``, `{`, `x`,
		"\"\xff\x01\""} {
		for _, payload := range []any{lax, []byte(lax)} {
			_, err := db.Exec("INSERT INTO s (type,\n  payload) VALUES ('A',\n  ?)", payload)
			var e *eventfold.Error
			require.ErrorAs(t, err, &e, lax)
			assert.Equal(t, eventfold.ErrArgument, e.Code)
			assert.Equal(t, []int{3, 3}, []int{e.Line, e.Column})
			assert.ErrorContains(t, err, "payload is not JSON, which json=require asks for")
			assert.ErrorContains(t, err, "at byte")
		}
	}
	_, err := db.Exec(`INSERT INTO s (type, payload) VALUES ('A', '{"a": 1}'), ('A', NULL), ('A', ?)`,
		eventfold.JSON(1))
	require.NoError(t, err)
	assert.Equal(t, []int64{3}, column[int64](t, db, `SELECT COUNT(*) FROM $all`),
		"of a refused INSERT nothing is there")
	var payload any
	require.NoError(t, db.QueryRow(`SELECT payload FROM s`).Scan(&payload))
	assert.IsType(t, "", payload)

	lax := openDB(t, ":memory:")
	_, err = lax.Exec(`INSERT INTO s (type, payload) VALUES ('A', '{a:1}')`)
	assert.NoError(t, err)
}

// JSON fills a value from a column, and nothing of an earlier row stays in it.
func TestJSONScansAColumn(t *testing.T) {
	type order struct {
		ID    string
		Items []int
	}
	for _, dsn := range []string{":memory:", ":memory:?json=text"} {
		db := openDB(t, dsn)
		orders := []order{{"a", []int{1}}, {"b", nil}}
		for _, o := range orders {
			_, err := db.Exec(`INSERT INTO s (type, payload) VALUES ('A', ?)`, eventfold.JSON(o))
			require.NoError(t, err)
		}
		_, err := db.Exec(`INSERT INTO s (type, payload) VALUES ('A', NULL), ('A', 'no JSON')`)
		require.NoError(t, err)
		rows, err := db.Query(`SELECT payload FROM s`)
		require.NoError(t, err)
		defer rows.Close()
		var got order
		for _, want := range append(orders, order{}) {
			require.True(t, rows.Next())
			require.NoError(t, rows.Scan(eventfold.JSON(&got)))
			assert.Equal(t, want, got)
		}
		require.True(t, rows.Next())
		assert.ErrorIs(t, rows.Scan(eventfold.JSON(&got)), eventfold.ErrValue)
		assert.ErrorIs(t, rows.Scan(eventfold.JSON(got)), eventfold.ErrArgument, "not a pointer")
		require.NoError(t, rows.Close())

		var n int
		require.NoError(t, db.QueryRow(`SELECT payload->>'$.Items[0]' FROM s`).Scan(eventfold.JSON(&n)))
		assert.Equal(t, 1, n)
		var list any
		require.NoError(t, db.QueryRow(`SELECT payload->'$.Items' FROM s`).Scan(eventfold.JSON(&list)))
		assert.Equal(t, []any{1.0}, list)
	}
}

// Tags go in and come out as a slice.
func TestTagsScanIntoASlice(t *testing.T) {
	db := openDB(t, ":memory:")
	for _, tags := range []eventfold.Tags{{"a", `b"c`}, {}, nil} {
		_, err := db.Exec(`INSERT INTO s (type, tags) VALUES ('A', ?)`, tags)
		require.NoError(t, err)
	}
	rows, err := db.Query(`SELECT tags FROM s UNION ALL SELECT NULL`)
	require.NoError(t, err)
	defer rows.Close()
	var got eventfold.Tags
	for _, want := range []eventfold.Tags{{"a", `b"c`}, {}, {}, nil} {
		require.True(t, rows.Next())
		require.NoError(t, rows.Scan(&got))
		assert.Equal(t, want, got)
	}
	_, err = db.Exec(`INSERT INTO s (type, tags) VALUES ('A', ?)`, eventfold.Tags{"\xff"})
	assert.ErrorContains(t, err, "UTF-8")
	assert.ErrorIs(t, db.QueryRow(`SELECT 'x'`).Scan(&got), eventfold.ErrValue)
}

// Times as arguments are whole microseconds, cut off below, on either side of 1970, as texts are.
func TestTimeArgumentsAreCutToMicroseconds(t *testing.T) {
	db := openDB(t, ":memory:")
	for _, year := range []int{1969, 2026} {
		at := time.Date(year, 3, 4, 5, 6, 7, 123456999, time.UTC)
		var got, text time.Time
		require.NoError(t,
			db.QueryRow(`SELECT timestamp(?), timestamp(?)`, at, at.Format(time.RFC3339Nano)).Scan(&got, &text))
		assert.Equal(t, at.Truncate(time.Microsecond), got)
		assert.Equal(t, got, text)
	}
}
