package eventfold_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/shred"
)

const secret = "ada.lovelace@example.com"

// A shreddedStore is a store with a keyring beside it.
type shreddedStore struct {
	store, keys, epochs string
	ring                *shred.File
	db                  *sql.DB
}

func openShredded(t *testing.T) *shreddedStore {
	t.Helper()
	dir := t.TempDir()
	s := &shreddedStore{
		store: filepath.Join(dir, "store"), keys: filepath.Join(dir, "keys"), epochs: filepath.Join(dir, "epochs"),
	}
	s.ring = openRing(t, s.keys, s.epochs)
	s.db = eventfold.OpenDB(eventfold.Config{Path: s.store, Keyring: s.ring})
	t.Cleanup(func() { assert.NoError(t, s.db.Close()) })
	return s
}

func openRing(t *testing.T, keys, epochs string) *shred.File {
	t.Helper()
	ring, err := tryRing(keys, epochs)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, ring.Close()) })
	return ring
}

func tryRing(keys, epochs string) (*shred.File, error) {
	e, err := shred.OpenEpochFiles(epochs, "")
	if err != nil {
		return nil, err
	}
	return shred.OpenFile(context.Background(), shred.FileOptions{Dir: keys, Epochs: e, Create: true})
}

// seal returns the JSON of a value sealed in a place.
func seal(t *testing.T, keys shred.Keyring, stream, typ, path, subject string, v any) string {
	t.Helper()
	raw, err := shred.Seal(t.Context(), keys, shred.Place{Stream: stream, Type: typ, Path: path}, subject, v)
	require.NoError(t, err)
	return string(raw)
}

// place appends an event whose payload has a sealed address.
func (s *shreddedStore) place(t *testing.T, stream, subject, email string) {
	t.Helper()
	payload := `{"total": 12, "email": ` + seal(t, s.ring, stream, "Placed", "$.email", subject, email) +
		`, "who": {"name": ` + seal(t, s.ring, stream, "Placed", "$.who.name", subject, "Ada") + `}}`
	metadata := `{"ip": ` + seal(t, s.ring, stream, "Placed", "metadata$.ip", subject, "10.0.0.1") + `}`
	_, err := s.db.Exec(`INSERT INTO $all (stream, type, payload, metadata) VALUES (?, 'Placed', ?, ?)`,
		stream, payload, metadata)
	require.NoError(t, err)
}

// texts returns the first column of all rows; NULL is written as such.
func texts(t *testing.T, db *sql.DB, query string, args ...any) (list []string) {
	t.Helper()
	rows, err := db.Query(query, args...)
	require.NoError(t, err, query)
	defer rows.Close()
	for rows.Next() {
		var v sql.NullString
		require.NoError(t, rows.Scan(&v))
		if !v.Valid {
			v.String = "NULL"
		}
		list = append(list, v.String)
	}
	require.NoError(t, rows.Err())
	return list
}

func TestRevealOpensAValueInItsPlace(t *testing.T) {
	s := openShredded(t)
	s.place(t, "order-1", "customer:42", secret)
	for _, query := range []string{
		`SELECT reveal(payload->'$.email') FROM $all`,
		`SELECT reveal(payload->'email') FROM "order-1"`,
		`SELECT reveal(payload->>'$["email"]') FROM "order-1"`,
		`SELECT reveal(json_extract(payload, '$.email')) FROM $all`,
		`SELECT reveal(a.payload->'$.email') FROM $all AS a`,
		`SELECT reveal(a.payload->'$.email') FROM $all AS a JOIN $streams AS s ON a.stream = s.stream`,
		`SELECT reveal(a.payload->'$.email') FROM $all AS a, $all AS b WHERE a.position = b.position`,
		`SELECT reveal(payload->'$.email') AS e FROM $all GROUP BY e`,
		`SELECT MAX(reveal(payload->'$.email')) FROM $all GROUP BY type`,
		`SELECT e FROM (SELECT reveal(payload->'$.email') AS e FROM $all) AS x WHERE e IS NOT NULL`,
		`SELECT reveal(payload->'$.email') FROM (SELECT stream, type, payload FROM $all) AS x`,
		`SELECT reveal(e, stream, type, '$.email') FROM (SELECT stream, type, payload->'$.email' AS e FROM $all) AS x`,
		`SELECT (SELECT reveal(a.payload->'$.email')) FROM $all AS a`,
		`SELECT reveal(payload->'$.email') FROM $all WHERE reveal(payload->'$.email') LIKE 'ada%'
			ORDER BY reveal(payload->'$.email')`,
		`SELECT reveal(payload->'$.email') FROM $all LIMIT 1 FOLLOW`,
	} {
		assert.Equal(t, []string{secret}, texts(t, s.db, query), query)
	}
	for query, want := range map[string]string{
		`SELECT reveal(payload->'who'->'name') FROM $all`:                               "Ada",
		`SELECT reveal(payload->'$.who'->>'$.name') FROM $all`:                          "Ada",
		`SELECT reveal(metadata->'$.ip') FROM $all`:                                     "10.0.0.1",
		`SELECT reveal(payload->'$.total') FROM $all`:                                   "12",
		`SELECT reveal(payload->'$.total') + 1 FROM $all`:                               "13",
		`SELECT reveal(payload->'$.nothing') FROM $all`:                                 "NULL",
		`SELECT reveal(NULL, 'a', 'b', '$.c')`:                                          "NULL",
		`SELECT reveal('plain', 'a', 'b', '$.c')`:                                       "plain",
		`SELECT reveal(12, 'a', 'b', '$.c')`:                                            "12",
		`SELECT payload->>'$.email."$sealed".s' FROM $all`:                              "customer:42",
		`SELECT COUNT(*) FROM $all WHERE reveal(payload->'$.email') = '` + secret + `'`: "1",
		`SELECT json_valid(payload->'$.email') FROM $all`:                               "1",
	} {
		assert.Equal(t, []string{want}, texts(t, s.db, query), query)
	}
}

func TestRevealGivesAnyJSON(t *testing.T) {
	s := openShredded(t)
	for _, c := range []struct {
		value any
		want  string
	}{
		{12, "12"}, {1.5, "1.5"}, {true, "1"}, {nil, "NULL"}, {"", ""},
		{[]int{1, 2}, "[1,2]"}, {map[string]int{"a": 1}, `{"a":1}`},
	} {
		_, err := s.db.Exec(`INSERT INTO a (type, payload) VALUES ('T', ?)`,
			`{"v": `+seal(t, s.ring, "a", "T", "$.v", "s", c.value)+`}`)
		require.NoError(t, err)
		got := texts(t, s.db, `SELECT reveal(payload->'$.v') FROM a ORDER BY version DESC LIMIT 1`)
		assert.Equal(t, []string{c.want}, got)
	}
	_, err := s.db.Exec(`INSERT INTO whole (type, payload) VALUES ('T', ?)`,
		seal(t, s.ring, "whole", "T", "$", "s", "all of it"))
	require.NoError(t, err)
	assert.Equal(t, []string{"all of it"}, texts(t, s.db, `SELECT reveal(payload) FROM whole`))
	_, err = s.db.Exec(`INSERT INTO bytes (type, payload) VALUES ('T', ?)`, []byte{0xff, 0x00})
	require.NoError(t, err)
	assert.Equal(t, []string{"\xff\x00"}, texts(t, s.db, `SELECT reveal(payload) FROM bytes`))
}

func TestAMovedValueIsAnError(t *testing.T) {
	s := openShredded(t)
	email := seal(t, s.ring, "order-1", "Placed", "$.email", "customer:42", secret)
	for _, c := range []struct{ stream, typ, payload, path string }{
		{"order-2", "Placed", `{"email": ` + email + `}`, "$.email"},
		{"order-1", "Shipped", `{"email": ` + email + `}`, "$.email"},
		{"order-1", "Placed", `{"nick": ` + email + `}`, "$.nick"},
		{"order-1", "Placed", `{"list": [` + email + `]}`, "$.list[0]"},
	} {
		_, err := s.db.Exec(`INSERT INTO $all (stream, type, payload) VALUES (?, ?, ?)`, c.stream, c.typ, c.payload)
		require.NoError(t, err)
		var v any
		err = s.db.QueryRow(`SELECT reveal(payload->'` + c.path + `') FROM $all ORDER BY position DESC LIMIT 1`).Scan(&v)
		require.ErrorIs(t, err, shred.ErrNotAuthentic, "%v", c)
		assert.ErrorIs(t, err, eventfold.ErrValue)
		var facts *eventfold.Error
		require.ErrorAs(t, err, &facts)
		assert.Positive(t, facts.Line)
		assert.Equal(t, 1, strings.Count(err.Error(), "eventfold: "))
		assert.Nil(t, v)
	}
}

func TestRevealMustKnowThePlace(t *testing.T) {
	s := openShredded(t)
	s.place(t, "order-1", "customer:42", secret)
	for _, query := range []string{
		`SELECT reveal(payload->?) FROM $all`,
		`SELECT reveal(payload->type) FROM $all`,
		`SELECT reveal(payload->'$.list[#-1]') FROM $all`,
		`SELECT reveal(payload->-1) FROM $all`,
		`SELECT reveal('x')`,
		`SELECT reveal(type) FROM $all`,
		`SELECT reveal(e) FROM (SELECT payload->'$.email' AS e FROM $all) AS x`,
		`SELECT reveal(payload->'$.email') FROM (SELECT payload FROM $all) AS x`,
		`SELECT reveal(payload->'$.email') FROM (SELECT payload, stream FROM $all) AS x`,
		`SELECT reveal(upper(payload)->'$.email') FROM $all`,
		`SELECT reveal(payload->'$.a', 'b') FROM $all`,
		`SELECT reveal(payload->'$.a', 'b', 'c') FROM $all`,
	} {
		_, err := s.db.Query(query, "$.email")
		require.Error(t, err, query)
		assert.ErrorContains(t, err, "reveal(payload->'$.path')", query)
		assert.ErrorContains(t, err, "reveal(value, stream, type, 'path')", query)
	}
	for _, query := range []string{
		`SELECT reveal()`, `SELECT reveal(1, 2, 3, 4, 5)`, `SELECT blind()`, `SELECT reveal(DISTINCT 1)`,
		`SELECT reveal(payload->'$[') FROM $all`, `SELECT reveal('{"$sealed":{}}', 's', 't', 'bad path')`,
	} {
		_, err := s.db.Exec(query)
		require.Error(t, err, query)
	}
}

func TestForgetMakesValuesNull(t *testing.T) {
	s := openShredded(t)
	s.place(t, "order-1", "customer:42", secret)
	s.place(t, "order-1", "customer:7", "bob@example.com")
	const emails = `SELECT reveal(payload->'$.email') FROM order-1 ORDER BY position`
	assert.Equal(t, []string{secret, "bob@example.com"}, texts(t, s.db, emails))
	result, err := s.db.Exec(`FORGET SUBJECT 'customer:42' REASON 'Art. 17, ticket 2026-114'`)
	require.NoError(t, err)
	n, err := result.RowsAffected()
	require.NoError(t, err)
	assert.EqualValues(t, 1, n)
	assert.Equal(t, []string{"NULL", "bob@example.com"}, texts(t, s.db, emails))
	result, err = s.db.Exec(`forget subject ? reason ?;`, "customer:42", "again")
	require.NoError(t, err)
	n, err = result.RowsAffected()
	require.NoError(t, err)
	assert.Zero(t, n, "it was forgotten before")
	_, err = s.db.Exec(`FORGET SUBJECT 'custmer:7' REASON 'a slip of the pen'`)
	require.ErrorIs(t, err, shred.ErrNoKey)
	assert.ErrorIs(t, err, eventfold.ErrKeyring)

	at := shred.Place{Stream: "order-1", Type: "Placed", Path: "$.email"}
	_, err = shred.Seal(t.Context(), s.ring, at, "customer:42", secret)
	var facts *shred.ForgottenError
	require.ErrorAs(t, err, &facts, "nothing is sealed for who is forgotten")
	assert.Equal(t, "Art. 17, ticket 2026-114", facts.Reason)
	require.NoError(t, s.ring.Allow(t.Context(), "customer:42"))
	s.place(t, "order-1", "customer:42", "ada@new.example")
	assert.Equal(t, []string{"NULL", "bob@example.com", "ada@new.example"}, texts(t, s.db, emails))
}

// slowEpochs end a context when an epoch is made.
type slowEpochs struct {
	shred.EpochKeys
	end func()
}

// Make implements shred.EpochKeys.
func (s slowEpochs) Make(ctx context.Context, epoch string) ([32]byte, error) {
	s.end()
	if err := ctx.Err(); err != nil {
		return [32]byte{}, err
	}
	return s.EpochKeys.Make(ctx, epoch)
}

func TestAForgetThatIsCutShortSaysSo(t *testing.T) {
	dir := t.TempDir()
	files, err := shred.OpenEpochFiles(filepath.Join(dir, "epochs"), "")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	epochs := &slowEpochs{files, func() {}}
	ring, err := shred.OpenFile(t.Context(), shred.FileOptions{
		Dir: filepath.Join(dir, "keys"), Epochs: epochs, Create: true,
	})
	require.NoError(t, err)
	defer ring.Close()
	_, err = ring.Key(t.Context(), "customer:42", true)
	require.NoError(t, err)
	db := eventfold.OpenDB(eventfold.Config{Mode: eventfold.Memory, Keyring: ring})
	defer db.Close()
	epochs.end = cancel
	const forget = `FORGET SUBJECT 'customer:42' REASON 'why'`
	_, err = db.ExecContext(ctx, forget)
	require.ErrorAs(t, err, new(*shred.UnfinishedError))
	require.ErrorIs(t, err, eventfold.ErrKeyring)
	require.ErrorIs(t, err, context.Canceled)
	_, err = db.ExecContext(ctx, forget)
	require.Equal(t, context.Canceled, err, "before anything is done it is the context's error itself")
	_, err = ring.Key(t.Context(), "customer:42", false)
	require.ErrorIs(t, err, shred.ErrForgotten)
	_, err = db.Exec(forget)
	require.NoError(t, err)
}

func TestATransactionOpensItsOwnValues(t *testing.T) {
	s := openShredded(t)
	tx, err := s.db.Begin()
	require.NoError(t, err)
	defer tx.Rollback()
	_, err = tx.Exec(`INSERT INTO a (type, payload) VALUES ('T', ?)`,
		`{"v": `+seal(t, s.ring, "a", "T", "$.v", "s", secret)+`}`)
	require.NoError(t, err)
	var got string
	require.NoError(t, tx.QueryRow(`SELECT reveal(payload->'$.v') FROM $all`).Scan(&got))
	assert.Equal(t, secret, got)
}

func TestALargeSealedValueStaysInTheMemoryOfTheQuery(t *testing.T) {
	s := openShredded(t)
	db := eventfold.OpenDB(eventfold.Config{Path: s.store, Keyring: s.ring, QueryMemory: 8 << 20})
	defer db.Close()
	_, err := db.Exec(`INSERT INTO a (type) VALUES ('T')`)
	require.NoError(t, err)
	var n int
	const long = `'{"$sealed":{"s":"a","r":1,"v":"' || printf('%Nd', 1) || '"}}'`
	for digits, want := range map[string]error{
		"2000000": eventfold.ErrMemory, "200000": shred.ErrNotAuthentic,
	} {
		text := strings.Replace(long, "N", digits, 1)
		err = db.QueryRow(`SELECT length(reveal(` + text + `, 's', 't', '$.a')) FROM a`).Scan(&n)
		require.ErrorIs(t, err, want)
	}
}

func TestWhereForgetIsRefused(t *testing.T) {
	s := openShredded(t)
	s.place(t, "order-1", "customer:42", secret)
	const forget = `FORGET SUBJECT 'customer:42' REASON 'why'`
	readOnly := eventfold.OpenDB(eventfold.Config{Path: s.store, Mode: eventfold.ReadOnly, Keyring: s.ring})
	defer readOnly.Close()
	bare := openDB(t, s.store)
	tx, err := s.db.Begin()
	require.NoError(t, err)
	defer tx.Rollback()
	readTx, err := s.db.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	require.NoError(t, err)
	defer readTx.Rollback()
	for _, c := range []struct {
		name string
		db   interface {
			Exec(string, ...any) (sql.Result, error)
		}
		text, tells string
		code        eventfold.Code
	}{
		{"read only", readOnly, forget, "for reading only", eventfold.ErrReadOnly},
		{"no keyring", bare, forget, "eventfold.OpenDB(eventfold.Config{", eventfold.ErrUnsupported},
		{"a transaction", tx, forget, "no ROLLBACK brings a key back", eventfold.ErrTransaction},
		{"a read-only transaction", readTx, forget, "no ROLLBACK", eventfold.ErrTransaction},
		{"a script", s.db, forget + `; SELECT 1`, "by itself", eventfold.ErrTransaction},
		{"no reason", s.db, `FORGET SUBJECT 'a'`, "too early", eventfold.ErrSyntax},
		{"another word", s.db, `FORGET SUBJECT 'a' BECAUSE 'b'`, "REASON", eventfold.ErrSyntax},
		{"no subject", s.db, `FORGET 'a' REASON 'b'`, "FORGET SUBJECT 'customer:42' REASON", eventfold.ErrSyntax},
		{"an empty reason", s.db, `FORGET SUBJECT 'a' REASON ''`, "REASON is empty", eventfold.ErrArgument},
		{"an empty subject", s.db, `FORGET SUBJECT '' REASON 'b'`, "a subject", eventfold.ErrArgument},
		{"a number", s.db, `FORGET SUBJECT 42 REASON 'b'`, "a text", eventfold.ErrArgument},
		{"NULL", s.db, `FORGET SUBJECT NULL REASON NULL`, "a text", eventfold.ErrArgument},
		{"the pepper", s.db, `FORGET SUBJECT '$pepper' REASON 'b'`, "begins with $", eventfold.ErrArgument},
		{"a column", s.db, `FORGET SUBJECT stream REASON 'b'`, "takes constants", eventfold.ErrUnknownColumn},
		{"EXPLAIN", s.db, `EXPLAIN ` + forget, "EXPLAIN takes", eventfold.ErrSyntax},
	} {
		_, err := c.db.Exec(c.text)
		require.ErrorIs(t, err, c.code, c.name)
		assert.ErrorContains(t, err, c.tells, c.name)
	}
	assert.Equal(t, []string{secret}, texts(t, readOnly, `SELECT reveal(payload->'$.email') FROM $all`),
		"nothing has happened")
	for _, query := range []string{`SELECT reveal(payload->'$.email') FROM $all`, `SELECT blind('x')`} {
		rows, err := bare.Query(query)
		if err == nil {
			rows.Next()
			err = rows.Err()
			rows.Close()
		}
		require.ErrorIs(t, err, eventfold.ErrUnsupported)
		assert.ErrorContains(t, err, "Keyring: keys")
	}
	var n int
	require.NoError(t, bare.QueryRow(`SELECT COUNT(*) FROM $all WHERE payload->'$.email' IS NOT NULL`).Scan(&n))
	assert.Equal(t, 1, n, "who has no keyring sees sealed values")
}

func TestBlindFindsByATag(t *testing.T) {
	s := openShredded(t)
	_, err := s.db.Exec(`INSERT INTO a (type, tags) VALUES ('T', json_array('email:' || blind(?)))`, secret)
	require.NoError(t, err)
	const find = `SELECT COUNT(*) FROM $all WHERE HAS(tags, 'email:' || blind(?))`
	assert.Equal(t, []string{"1"}, texts(t, s.db, find, secret))
	assert.Equal(t, []string{"0"}, texts(t, s.db, find, "other"))
	literal := strings.Replace(find, "?", "'"+secret+"'", 1)
	assert.Equal(t, []string{"1"}, texts(t, s.db, literal))
	assert.Equal(t, []string{"NULL"}, texts(t, s.db, `SELECT blind(NULL)`))
	assert.Regexp(t, "^[0-9a-f]{32}$", texts(t, s.db, `SELECT blind('x')`)[0])
	const insert = `INSERT INTO b (type) VALUES ('T') EXPECTING NO EVENT FROM $all WHERE `
	_, err = s.db.Exec(insert+`HAS(tags, 'email:' || blind(?))`, secret)
	require.ErrorIs(t, err, eventfold.ErrConditionFailed)
	_, err = s.db.Exec(insert + `reveal(payload->'$.a') = 'x'`)
	require.ErrorIs(t, err, eventfold.ErrStatement)
	assert.ErrorContains(t, err, "blind(value)")
	_, err = s.db.Exec(insert + `upper(coalesce(reveal(payload->'$.a'), 'y')) = 'x'`)
	require.ErrorIs(t, err, eventfold.ErrStatement)
}

func TestExplainShowsNoPlainText(t *testing.T) {
	s := openShredded(t)
	s.place(t, "order-1", "customer:42", secret)
	sealed := seal(t, s.ring, "a", "T", "$.x", "customer:42", "order-1")
	sealed = strings.ReplaceAll(sealed, "'", "''")
	for _, query := range []string{
		`SELECT reveal(payload->'$.email') FROM $all WHERE reveal(payload->'$.email') LIKE '%a%'`,
		`SELECT * FROM $all WHERE stream = reveal('` + sealed + `', 'a', 'T', '$.x')`,
		`SELECT * FROM $all WHERE HAS(tags, reveal('` + sealed + `', 'a', 'T', '$.x'))`,
		`SELECT * FROM $all WHERE stream = (SELECT reveal('` + sealed + `', 'a', 'T', '$.x'))`,
		`SELECT * FROM $all WHERE stream IN (SELECT reveal('` + sealed + `', 'a', 'T', '$.x'))`,
		`SELECT * FROM $all WHERE stream IN ('x', (SELECT reveal('` + sealed + `', 'a', 'T', '$.x') FROM $all))`,
		`SELECT * FROM $all WHERE stream LIKE coalesce((SELECT reveal('` + sealed + `', 'a', 'T', '$.x')), 'y')`,
		`WITH x AS (SELECT reveal('` + sealed + `', 'a', 'T', '$.x') AS n) SELECT * FROM $all AS e, x WHERE e.stream = x.n`,
		`SELECT * FROM $all WHERE stream = (SELECT n FROM (SELECT reveal('` + sealed + `', 'a', 'T', '$.x') AS n) AS d)`,
	} {
		for _, explain := range []string{"EXPLAIN ", "EXPLAIN ANALYZE "} {
			rows, err := s.db.Query(explain + query)
			require.NoError(t, err)
			var all strings.Builder
			for rows.Next() {
				var a, b string
				require.NoError(t, rows.Scan(&a, &b))
				all.WriteString(a + " | " + b + "\n")
			}
			require.NoError(t, errors.Join(rows.Err(), rows.Close()))
			assert.NotContains(t, all.String(), secret)
			assert.NotContains(t, all.String(), "order-1")
			assert.Contains(t, all.String(), "$all")
		}
	}
	for column, want := range map[string]string{"type": "0", "stream": "1"} {
		got := texts(t, s.db, `SELECT COUNT(*) FROM $all WHERE `+column+` = reveal('`+sealed+`', 'a', 'T', '$.x')`)
		assert.Equal(t, []string{want}, got)
	}
}

// TestNoCopyOfAnythingBringsAForgottenValueBack tries every old copy of the store and the keyring
// with every other.
func TestNoCopyOfAnythingBringsAForgottenValueBack(t *testing.T) {
	s := openShredded(t)
	s.place(t, "order-1", "customer:42", secret)
	s.place(t, "order-1", "customer:7", "bob@example.com")
	dir := t.TempDir()
	backup, oldKeys := filepath.Join(dir, "backup"), filepath.Join(dir, "old keys")
	_, err := s.db.Exec(`BACKUP TO ?`, backup)
	require.NoError(t, err)
	require.NoError(t, os.CopyFS(oldKeys, os.DirFS(s.keys)))
	require.NoError(t, os.Chmod(oldKeys, 0o700))
	_, err = s.db.Exec(`FORGET SUBJECT 'customer:42' REASON 'why'`)
	require.NoError(t, err)
	newKeys, newBackup := filepath.Join(dir, "new keys"), filepath.Join(dir, "new backup")
	require.NoError(t, os.CopyFS(newKeys, os.DirFS(s.keys)))
	require.NoError(t, os.Chmod(newKeys, 0o700))
	_, err = s.db.Exec(`BACKUP TO ?`, newBackup)
	require.NoError(t, err)
	require.NoError(t, s.db.Close())
	require.NoError(t, s.ring.Close())

	_, err = tryRing(oldKeys, s.epochs)
	require.ErrorIs(t, err, shred.ErrNoEpoch, "the old copy of the keyring is dead")
	for _, store := range []string{s.store, backup, newBackup} {
		for _, keys := range []string{s.keys, newKeys} {
			ring, err := tryRing(keys, s.epochs)
			require.NoError(t, err)
			db := eventfold.OpenDB(eventfold.Config{Path: store, Mode: eventfold.ReadOnly, Keyring: ring})
			assert.Equal(t, []string{"NULL", "bob@example.com"},
				texts(t, db, `SELECT reveal(payload->'$.email') FROM order-1 ORDER BY position`))
			require.NoError(t, errors.Join(db.Close(), ring.Close()))
		}
	}
	for _, where := range []string{s.store, s.keys, s.epochs, backup, newBackup, oldKeys, newKeys} {
		require.NoError(t, filepath.WalkDir(where, func(name string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(name)
			assert.NotContains(t, string(text), secret, name)
			assert.NotContains(t, string(text), "10.0.0.1", name)
			return err
		}))
	}
}

// A keyring in a store that is there is refused by the keyring, a store in a keyring's directory by
// the store, which finds other files there.
func TestAStoreInAKeyringIsRefused(t *testing.T) {
	s := openShredded(t)
	store := filepath.Join(s.keys, "store")
	require.NoError(t, os.Mkdir(store, 0o700))
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(store, link))
	for _, path := range []string{store, link} {
		db := eventfold.OpenDB(eventfold.Config{Path: path, Keyring: s.ring})
		err := db.Ping()
		require.ErrorIs(t, err, eventfold.ErrConfig)
		assert.ErrorAs(t, err, new(*shred.DirectoryError))
		require.NoError(t, db.Close())
	}
	db := eventfold.OpenDB(eventfold.Config{Path: s.keys, Keyring: s.ring})
	require.ErrorIs(t, db.Ping(), eventfold.ErrFormat)
	require.NoError(t, db.Close())
	_, err := s.db.Exec(`INSERT INTO a (type) VALUES ('A')`)
	require.NoError(t, err)
	_, err = tryRing(filepath.Join(s.store, "keys"), s.epochs)
	require.ErrorAs(t, err, new(*shred.DirectoryError))
	_, err = s.db.Exec(`BACKUP TO ?`, s.keys)
	require.Error(t, err, "nor does a backup replace a keyring")
}
