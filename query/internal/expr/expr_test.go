package expr

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/jsonpath"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A scalarColumn is a column of the one row that tests of expressions have.
type scalarColumn struct {
	name     string
	value    value.Value
	typ      value.Type
	affinity value.Affinity
}

// scalarRow is the row of the tests. The names say what the columns are.
var scalarRow = []scalarColumn{
	{"n", value.OfInt(10), value.Integer, value.AffInteger},
	{"f", value.OfReal(2.5), value.Real, value.AffReal},
	{"s", value.OfText("10"), value.Text, value.AffText},
	{"word", value.OfText("Hello"), value.Text, value.AffText},
	{"nothing", null, value.Integer, value.AffInteger},
	{"payload", value.OfJSON(`{"a":1,"b":{"c":[1,2,3]},"s":"x"}`), value.JSON, value.AffText},
	{"raw", value.OfBlob("\x00\x01"), value.JSON, value.AffText}, // a payload that is not JSON
	{"tags", value.OfJSON(`["course:c1","student:s1"]`), value.JSON, value.AffText},
	{"recorded_at", value.OfTime(time.Date(2026, 1, 2, 3, 4, 5, 123456000, time.UTC).UnixMicro()), value.Timestamp,
		value.AffTime},
	{"untyped", value.OfText("10"), value.Any, value.AffNone},
	{"loose", value.OfText("1.0"), value.Any, value.AffNumeric},
}

// A scalarBinder binds the columns of scalarRow, and remembers what it was asked.
type scalarBinder struct {
	names  []string // of parameters
	checks []func(*Env) error
	paths  []string // what path was asked for
}

func (b *scalarBinder) Column(c *parser.Column) (*Expr, error) {
	for i, col := range scalarRow {
		if c.Table == "" && strings.EqualFold(c.Name, col.name) {
			eval := func(e *Env) value.Value { return e.Row.Values[i] }
			return &Expr{Eval: eval, Type: col.typ, Nullable: col.value.IsNull(), Affinity: col.affinity, Pos: c.Pos}, nil
		}
	}
	return nil, &fault.Error{Kind: fault.UnknownColumn, Pos: c.Pos, Msg: "no such column: " + c.Name}
}

func (b *scalarBinder) Call(c *parser.Call) (*Expr, bool, error) {
	if c.Name == "count" {
		return nil, true, &fault.Error{Kind: fault.BadStatement, Pos: c.Pos, Msg: "an aggregate stands here"}
	}
	return nil, false, nil
}

func (b *scalarBinder) Subquery(s *parser.Subquery) (*Expr, error) {
	return fixed(value.OfInt(7), s.Pos), nil
}
func (b *scalarBinder) Exists(s *parser.Exists) (*Expr, error) {
	return fixed(value.OfInt(1), s.Pos), nil
}
func (b *scalarBinder) InSelect(x *Expr, in *parser.In) (*Expr, error) {
	return fixed(value.OfBool(in.Not), in.Pos), nil
}

func (b *scalarBinder) Param(p *parser.Param) (int, error) {
	for i, name := range b.names {
		if name == p.Name {
			return i, nil
		}
	}
	return 0, &fault.Error{Kind: fault.BadArgument, Pos: p.Pos, Msg: "no parameter is named " + p.Name}
}

func (b *scalarBinder) Path(_ *Expr, p *jsonpath.Path, as Reading) (*Expr, error) {
	b.paths = append(b.paths, fmt.Sprint(p, " ", as.Type == value.Any))
	return nil, nil
}

func (b *scalarBinder) AtBind(check func(*Env) error) { b.checks = append(b.checks, check) }

// compileScalar compiles an expression of SQL.
func compileScalar(text string) (*Expr, *scalarBinder, error) {
	p, err := parser.Parse("SELECT " + text)
	if err != nil {
		return nil, nil, err
	}
	b := &scalarBinder{names: p.Params.Names}
	x, err := Compile(p.Statement.(*parser.Select).First.Results[0].Expr, b)
	return x, b, err
}

// scalarEnv is an execution on scalarRow, at noon of the 25th of November 2026.
func scalarEnv(args ...driver.Value) *Env {
	e := NewEnv(Env{Ctx: context.Background(), Now: time.Date(2026, 11, 25, 12, 0, 0, 654321000, time.UTC)})
	for _, a := range args {
		v, err := value.FromDriver(a, func(b []byte) string { return string(b) })
		if err != nil {
			panic(err)
		}
		e.Args = append(e.Args, Argument{Value: v})
	}
	for _, col := range scalarRow {
		e.Row.Values = append(e.Row.Values, col.value)
	}
	return e
}

// runScalar evaluates an expression. It holds what is true of every expression: as a condition it
// says the same, its static type and nullability are kept, and it gives the same again.
func runScalar(t testing.TB, text string, args ...driver.Value) (value.Value, error) {
	x, b, err := compileScalar(text)
	if err != nil {
		return null, err
	}
	e := scalarEnv(args...)
	for _, check := range b.checks {
		if err := check(e); err != nil {
			return null, err
		}
	}
	v := x.Eval(e)
	if e.Err != nil {
		return null, e.Err
	}
	assert.Equal(t, v.Truth(), x.Condition()(e), "%s as a condition", text)
	assert.Equal(t, v, x.Eval(e), "%s a second time", text)
	if v.IsNull() {
		assert.True(t, x.Nullable, "%s is NULL but not nullable", text)
	} else if x.Type != value.Any && !(x.Type == value.Integer && v.Kind == value.Float) {
		assert.Equal(t, storage(x.Type), storage(staticType(v)), "the static type of %s", text)
	}
	return v, nil
}

// storage sorts types by what database/sql scans them into.
func storage(t value.Type) value.Type {
	if t == value.JSON {
		return value.Text
	}
	return t
}

// A fact says what an expression is, as a literal of SQL.
type fact struct{ text, want string }

func checkFacts(t *testing.T, facts []fact) {
	t.Helper()
	for _, f := range facts {
		v, err := runScalar(t, f.text)
		if assert.NoError(t, err, f.text) {
			assert.Equal(t, f.want, value.QuoteSQL(v), f.text)
		}
	}
}

// A refusal says with which error an expression is refused, and where.
type refusal struct {
	text string
	kind fault.Kind
	at   string // the text begins like this at the error's place
	msg  string // part of the message
}

func checkRefusals(t *testing.T, refusals []refusal) {
	t.Helper()
	for _, r := range refusals {
		_, err := runScalar(t, r.text)
		var e *fault.Error
		if !assert.ErrorAs(t, err, &e, r.text) {
			continue
		}
		assert.Equal(t, r.kind, e.Kind, r.text)
		assert.Contains(t, e.Error(), r.msg, r.text)
		pos := int(e.Pos) - len("SELECT ")
		if assert.True(t, pos >= 0 && pos < len(r.text), "%s: position %d", r.text, e.Pos) {
			assert.True(t, strings.HasPrefix(r.text[pos:], r.at), "%s: error at %q", r.text, r.text[pos:])
		}
	}
}

func TestLogic(t *testing.T) {
	checkFacts(t, []fact{
		{"1 AND 0", "0"}, {"1 AND 2", "1"}, {"NULL AND 0", "0"}, {"NULL AND 1", "NULL"},
		{"0 AND NULL", "0"}, {"1 AND NULL", "NULL"},
		{"1 OR NULL", "1"}, {"NULL OR 1", "1"}, {"0 OR NULL", "NULL"}, {"0 OR 0", "0"},
		{"1 AND NULL AND 0", "0"}, {"0 OR NULL OR 1", "1"}, {"0 OR NULL OR 0", "NULL"},
		{"NOT 0", "1"}, {"NOT 5", "0"}, {"NOT NULL", "NULL"}, {"NOT 'abc'", "1"}, {"NOT '0.5'", "0"},
		{"NOT 0.0", "1"},
		{"TRUE", "1"}, {"FALSE", "0"}, {"nothing OR n > 5", "1"}, {"nothing AND n > 50", "0"},
		{"NULL IS NULL", "1"}, {"1 IS NULL", "0"}, {"1 IS NOT NULL", "1"}, {"nothing IS NULL", "1"},
		{"1 IS 1.0", "1"}, {"NULL IS 1", "0"},
		{"1 IS DISTINCT FROM NULL", "1"}, {"NULL IS NOT DISTINCT FROM NULL", "1"}, {"5 IS TRUE", "1"},
		{"NULL IS NOT TRUE", "1"}, {"'a' IS FALSE", "1"},
		{"n IS '10'", "1"}, {"n IS NOT nothing", "1"},
		{"CASE WHEN NULL THEN 1 WHEN 1 THEN 2 ELSE 3 END", "2"},
		{"CASE 5 WHEN 1 THEN 'a' WHEN 5.0 THEN 'b' END", "'b'"},
		{"CASE NULL WHEN NULL THEN 1 ELSE 2 END", "2"}, {"CASE WHEN 0 THEN 1 END", "NULL"},
		{"CASE n WHEN '10' THEN 'column' ELSE 'no' END", "'column'"},
		{"CASE '10' WHEN n THEN 'column' ELSE 'no' END", "'column'"},
		{"CASE '10' WHEN 10 THEN 'y' ELSE 'no' END", "'no'"},
		{"iif(0, 1, 2)", "2"}, {"iif(1, 2)", "2"}, {"iif(0, 2)", "NULL"}, {"if(0, 1, 1, 3, 4)", "3"},
		{"coalesce(NULL, nothing, 3, 4)", "3"}, {"ifnull(nothing, 'x')", "'x'"},
		{"nullif(1, 1.0)", "NULL"}, {"nullif(1, '1')", "1"}, {"nullif(NULL, 1)", "NULL"},
		{"(SELECT 1)", "7"}, {"EXISTS (SELECT 1)", "1"}, {"n NOT IN (SELECT 1)", "1"},
	})
}

func TestComparison(t *testing.T) {
	checkFacts(t, []fact{
		// across kinds
		{"'a' > 5", "1"}, {"x'00' > 'zzz'", "1"}, {"NULL = NULL", "NULL"}, {"NULL < 1", "NULL"},
		{"1 <> NULL", "NULL"},
		{"1 = 1.0", "1"}, {"9007199254740993 = 9007199254740992.0", "0"},
		{"9223372036854775807 < 9223372036854775808.0", "1"},
		{"9223372036854775807 = 9223372036854775807.0", "0"},
		// affinity comes from columns and CAST alone
		{"'10' = 10", "0"}, {"n = '10'", "1"}, {"'10' = n", "1"}, {"n = ' 10.0 '", "1"},
		{"n = '10x'", "0"}, {"n < '9'", "0"}, {"n < 'a'", "1"},
		{"s = 10", "1"}, {"10 = s", "1"}, {"s = 10.0", "0"}, {"s > 9", "0"}, {"n = s", "1"},
		{"untyped = 10", "0"}, {"untyped = n", "1"}, {"untyped = s", "1"},
		{"+n = '10'", "0"}, {"CAST('10' AS INTEGER) = '10'", "1"}, {"CAST(10 AS TEXT) = 10", "1"},
		{"f = '2.50'", "1"}, {"n + 0 = '10'", "0"},
		// texts
		{"'B' < 'a'", "1"}, {"'a' < 'b'", "1"}, {"'b' < 'É'", "1"}, {"'É' < 'é'", "1"},
		{"'a' < 'ab'", "1"}, {"'' < 'a'", "1"},
		{"'A' = 'a'", "0"}, {"'A' = 'a' COLLATE NOCASE", "1"}, {"'A' COLLATE NOCASE = 'a'", "1"},
		{"'É' = 'é' COLLATE NOCASE", "0"},
		{"'A' COLLATE BINARY = 'a' COLLATE NOCASE", "0"}, {"word COLLATE NOCASE = 'HELLO'", "1"},
		{"lower(word COLLATE NOCASE) = 'HELLO'", "1"},
		{"'a' = 'a  ' COLLATE RTRIM", "1"}, {"'a ' COLLATE RTRIM IN ('b', 'a')", "1"},
		{"'a' < 'a ' COLLATE RTRIM", "0"}, {"'A' = 'a' COLLATE RTRIM", "0"},
		{"' a' = 'a' COLLATE RTRIM", "0"}, {"'a' || char(9) = 'a' COLLATE RTRIM", "0"},
		{"max('a ', 'a' COLLATE RTRIM)", "'a '"},
		{"'a' COLLATE NOCASE < 'B'", "1"}, {"'ab' COLLATE NOCASE < 'ABC'", "1"},
		{"max('a', 'B' COLLATE NOCASE)", "'B'"},
		// ranges and lists
		{"n BETWEEN 1 AND 10", "1"}, {"n NOT BETWEEN 1 AND 10", "0"}, {"n BETWEEN NULL AND 5", "0"},
		{"n BETWEEN NULL AND 50", "NULL"}, {"n BETWEEN '1' AND '10'", "1"},
		{"NULL BETWEEN 1 AND 2", "NULL"},
		{"2 IN (1, 2)", "1"}, {"3 IN (1, 2)", "0"}, {"3 IN (1, NULL)", "NULL"},
		{"1 NOT IN (2, NULL)", "NULL"}, {"1 NOT IN (1, NULL)", "0"}, {"NULL IN (1)", "NULL"},
		{"NULL IN ()", "0"}, {"1 NOT IN ()", "1"},
		{"n IN ('10')", "1"}, {"'10' IN (n)", "0"}, {"'10' IN (10)", "0"}, {"s IN (10)", "1"},
		{"n IN (n, 3)", "1"}, {"3 IN (n, nothing)", "NULL"},
		{"n IN (1,2,3,4,5,6,7,8,9,10)", "1"}, {"n IN ('1','2','3','4','5','6','7','8','9','10')", "1"},
		{"10.0 IN (1,2,3,4,5,6,7,8,9,10)", "1"}, {"10.5 IN (1,2,3,4,5,6,7,8,9,10)", "0"},
		{"word IN ('a','b','c','d','e','f','g','h','Hello')", "1"},
		{"word IN ('a','b','c','d','e','f','g','h','hello')", "0"},
		{"word COLLATE NOCASE IN ('a','b','c','d','e','f','g','h','hello')", "1"},
		{"word IN ('a','b','c','d','e','f','g','h',NULL)", "NULL"}, {"2.5 IN (1,2,3,4,5,6,7,8,2.5,x'00')", "1"},
		{"min(3, 1, 2)", "1"}, {"like(x'', 'a', nothing)", "0"}, {"max(3, 'a', x'00')", "X'00'"},
		{"max(1, NULL)", "NULL"},
	})
	checkRefusals(t, []refusal{
		{"'a' COLLATE POLISH = 'b'", fault.Unsupported, "COLLATE", "there are BINARY, NOCASE and RTRIM"},
	})
}

func TestArithmetic(t *testing.T) {
	checkFacts(t, []fact{
		{"7 / 2", "3"}, {"-7 / 2", "-3"}, {"-7 % 2", "-1"}, {"7 % -2", "1"}, {"7.0 / 2", "3.5"},
		{"1 / 0", "NULL"}, {"1 % 0", "NULL"}, {"1.0 / 0", "NULL"}, {"5.5 % 2", "1.0"},
		{"5 % 0.5", "NULL"},
		{"7 DIV 2", "3"}, {"-7 DIV 2", "-3"}, {"7.9 DIV 2", "3"}, {"7 DIV 0", "NULL"},
		{"1700000123 DIV 300 * 300", "1700000100"}, {"1e300 DIV 1e-300", "9.0e+999"},
		{"9223372036854775807 + 1", "9.2233720368547758e+18"},
		{"-9223372036854775807 - 2", "-9.2233720368547758e+18"},
		{"9223372036854775807 * 2", "1.8446744073709552e+19"},
		{"-9223372036854775808 / -1", "9.2233720368547758e+18"}, {"-9223372036854775808 % -1", "0"},
		{"3037000500 * 3037000500", "9.2233720370002493e+18"},
		{"-4611686018427387904 * 2", "-9223372036854775808"},
		{"'12abc' + 1", "13"}, {"'abc' + 1", "1"}, {"' 1.5e1x' + 1", "16.0"}, {"'1e' + 0", "1"},
		{"'.5' + 0", "0.5"}, {"'.' + 0", "0"}, {"x'3132' + 1", "13"}, {"'1e3' % 7", "1.0"},
		{"1 + NULL", "NULL"}, {"NULL * 0", "NULL"}, {"1 + 2 + 3 + 4", "10"},
		{"1 + 2 + nothing + 4", "NULL"}, {"-'5'", "-5"}, {"-word", "0"}, {"+'5'", "'5'"}, {"- -3", "3"},
		{"1e308 * 10", "9.0e+999"}, {"1e308 * 10 - 1e308 * 10", "NULL"}, {"0.1 + 0.2", "0.30000000000000004"},
		{"1 || 2", "'12'"}, {"'a' || NULL", "NULL"}, {"1.0 || 'x'", "'1.0x'"}, {"x'41' || 'b'", "'Ab'"},
		{"n || f || s", "'102.510'"},
	})
}

func TestCast(t *testing.T) {
	checkFacts(t, []fact{
		{"CAST('12.7abc' AS INTEGER)", "12"}, {"CAST(2.9 AS INTEGER)", "2"}, {"CAST(-2.9 AS INT)", "-2"},
		{"CAST(9e30 AS BIGINT)", "9223372036854775807"},
		{"CAST(-9e30 AS INTEGER)", "-9223372036854775808"},
		{"CAST('99999999999999999999' AS INTEGER)", "9223372036854775807"},
		{"CAST('9e30' AS INTEGER)", "9"}, {"CAST(' -5' AS INTEGER)", "-5"}, {"CAST('' AS INTEGER)", "0"},
		{"CAST(1.0 AS TEXT)", "'1.0'"}, {"CAST(1e20 AS VARCHAR(10))", "'1.0e+20'"},
		{"CAST(x'4142' AS TEXT)", "'AB'"}, {"CAST(5 AS BLOB)", "X'35'"}, {"CAST(NULL AS TEXT)", "NULL"},
		{"CAST('1e3' AS REAL)", "1000.0"}, {"CAST('x' AS DOUBLE PRECISION)", "0.0"}, {"CAST(3 AS FLOAT)", "3.0"},
		{"CAST('1.0' AS NUMERIC)", "1"}, {"CAST(1.0 AS NUMERIC)", "1.0"},
		{"CAST('1.5x' AS DECIMAL(10))", "1.5"}, {"CAST('12abc' AS BOOLEAN)", "12"},
		{"CAST('1e20' AS NUMERIC)", "1.0e+20"},
		{"CAST(recorded_at AS TEXT)", "'2026-01-02T03:04:05.123456Z'"}, {"CAST(payload AS TEXT) = payload", "1"},
		{"typeof(CAST(1 AS POINT))", "'integer'"}, // INT in POINT: these are the rules
		{"CAST('2026-01-02 03:04' AS TIMESTAMP)", "'2026-01-02T03:04:00.000000Z'"},
		{"CAST(0 AS TIMESTAMP)", "'1970-01-01T00:00:00.000000Z'"}, {"CAST(word AS TIMESTAMP)", "NULL"},
		{"CAST('{\"a\": 1}' AS JSON)", `'{"a": 1}'`}, {"CAST(1.50 AS JSON)", "'1.5'"},
		{"CAST('[1]' AS JSON) -> 0", "'1'"}, {"CAST('[1,]' AS JSON)", "'[1]'"},
		{"CAST(x'5b315d' AS JSON)", "'[1]'"},
	})
	checkRefusals(t, []refusal{
		{"CAST('{' AS JSON)", fault.BadValue, "'{'", "malformed JSON"},
		{"CAST(x'7b' AS JSON)", fault.BadValue, "x'7b'", "malformed JSON"},
		{"CAST('nonsense' AS TIMESTAMP)", fault.BadValue, "'nonsense'", "is no time"},
	})
}

func TestParameters(t *testing.T) {
	tests := []struct {
		text string
		args []driver.Value
		want string
	}{
		{"?", []driver.Value{int64(5)}, "5"},
		{"? || ?", []driver.Value{"a", []byte("b")}, "'ab'"},
		{"word = ?", []driver.Value{"Hello"}, "1"}, {"word = ?", []driver.Value{"HELLO"}, "0"},
		{"word COLLATE NOCASE = ?", []driver.Value{"HELLO"}, "1"},
		{"word <> ?", []driver.Value{"Hello"}, "0"},
		{"loose = ?", []driver.Value{"1"}, "1"}, {"s = ?", []driver.Value{int64(10)}, "1"},
		{"n < ?", []driver.Value{int64(11)}, "1"}, {"? < n", []driver.Value{int64(11)}, "0"},
		{"n = ?", []driver.Value{nil}, "NULL"}, {"nothing = ?", []driver.Value{int64(1)}, "NULL"},
		{"n = ?", []driver.Value{"10"}, "1"},
		{"? IS NULL", []driver.Value{nil}, "1"},
		{"? IS NULL", []driver.Value{[]byte(nil)}, "1"},
		{":x + :y * :x", []driver.Value{int64(2), int64(3)}, "8"},
		{"?2 - ?1", []driver.Value{int64(2), int64(3)}, "1"},
		{"n IN (?, ?)", []driver.Value{"10", nil}, "1"},
		{"3 IN (?,?,?,?,?,?,?,?,?)", []driver.Value{int64(1), int64(2), 3.0, nil, nil, nil, nil, nil, nil}, "1"},
		{"word LIKE ?", []driver.Value{"h%"}, "1"},
		{"word REGEXP ?", []driver.Value{"^H.*o$"}, "1"},
		{"payload ->> ?", []driver.Value{"$.b.c[#-1]"}, "3"},
		{"true = ?", []driver.Value{true}, "1"},
		{"recorded_at = ?", []driver.Value{time.Date(2026, 1, 2, 4, 4, 5, 123456789, time.FixedZone("", 3600))}, "1"},
		{"lower(?) || upper(?1)", []driver.Value{"aB"}, "'abAB'"},
	}
	for _, tt := range tests {
		v, err := runScalar(t, tt.text, tt.args...)
		require.NoError(t, err, tt.text)
		assert.Equal(t, tt.want, value.QuoteSQL(v), tt.text)
	}
	_, err := runScalar(t, "word REGEXP ?", "(")
	var e *fault.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, fault.BadArgument, e.Kind)
	_, err = runScalar(t, "? + ?", int64(1))
	require.ErrorAs(t, err, &e)
	assert.Equal(t, fault.BadArgument, e.Kind)
}

// What depends on no row is computed when the statement is compiled, or once per execution.
func TestConstantsAreComputedOnce(t *testing.T) {
	x, _, err := compileScalar("lower('ABC') || 1 + 2 * 3")
	require.NoError(t, err)
	assert.True(t, x.fixed)
	assert.Equal(t, value.OfInt(6), x.value) // || binds more tightly than *, * than +

	x, _, err = compileScalar("n + 1")
	require.NoError(t, err)
	assert.False(t, x.Constant)

	x, _, err = compileScalar("abs(?) + 1")
	require.NoError(t, err)
	assert.True(t, x.Constant)
	assert.False(t, x.fixed)
	e := scalarEnv(int64(-4))
	assert.Equal(t, value.OfInt(5), x.Eval(e))
	e.Args[0].Value = value.OfInt(-100) // an execution's arguments do not change: if they did, it would not be seen
	assert.Equal(t, value.OfInt(5), x.Eval(e))
	assert.Equal(t, value.OfInt(101), x.Eval(scalarEnv(int64(-100))), "another execution")

	for text, clock := range map[string]bool{
		"now()": true, "date()": true, "date('now')": true, "unixepoch('now', '-1 day') + 1": true,
		"current_timestamp":  true,
		"date('2026-01-01')": false, "date(recorded_at)": false, "date(word)": true, "n + 1": false,
	} {
		x, _, err := compileScalar(text)
		require.NoError(t, err, text)
		assert.Equal(t, clock, x.Clock, "%s reads the clock", text)
		assert.False(t, x.fixed && clock, text)
	}
}

func TestMemoHoldsMany(t *testing.T) {
	var m Memo
	keys := make([]*MemoKey, 100)
	for i := range keys {
		keys[i] = new(MemoKey)
		_, ok := m.Get(keys[i])
		require.False(t, ok)
		m.Put(keys[i], i)
	}
	for i, key := range keys {
		v, ok := m.Get(key)
		require.True(t, ok)
		require.Equal(t, i, v)
	}
}

// An error of one row is the evaluation's first error, with its place.
func TestErrorsAtRunTime(t *testing.T) {
	checkRefusals(t, []refusal{
		{"1 + abs(n - 10 - 9223372036854775807 - 1)", fault.BadValue, "abs", "integer overflow"},
		{"word -> 'a'", fault.BadValue, "word", "malformed JSON"},
		{"payload ->> ('$' || lower('['))", fault.BadArgument, "'$'", "bad JSON path"},
		{"printf('%' || (n * 100000000) || 'd', 1)", fault.BadValue, "printf", "longer than 64 MiB"},
	})
}

func TestNamesOfFunctions(t *testing.T) {
	checkFacts(t, []fact{
		{"version() LIKE 'eventfold%'", "1"}, {"current_user", "'eventfold'"}, {"database()", "'main'"},
		{"current_timestamp", "'2026-11-25T12:00:00.654321Z'"}, {"current_date", "'2026-11-25'"},
		{"current_time", "'12:00:00'"},
	})
	checkRefusals(t, []refusal{
		{"1 + lenght(word)", fault.UnknownFunction, "lenght", "did you mean length()?"},
		{"random()", fault.UnknownFunction, "random", "no random functions"},
		{"listagg(word, ',')", fault.UnknownFunction, "listagg", "write string_agg(x, separator ORDER BY y)"},
		{"frobnicate(1)", fault.UnknownFunction, "frobnicate", "no such function: frobnicate()"},
		{"abs(1, 2)", fault.BadArgument, "abs", "abs() takes 1 argument, not 2"},
		{"coalesce(1)", fault.BadArgument, "coalesce", "2 or more arguments"},
		{"substr(word)", fault.BadArgument, "substr", "2 to 3 arguments"},
		{"max(1)", fault.BadArgument, "max", "2 or more"},
		{"lower(DISTINCT word)", fault.BadStatement, "lower", "plain function"},
		{"upper(word) OVER ()", fault.BadStatement, "upper", "plain function"},
		{"abs(*)", fault.BadStatement, "abs", "plain function"},
		{"count(1)", fault.BadStatement, "count", "an aggregate stands here"},
		{"wrod", fault.UnknownColumn, "wrod", "no such column"},
		{`"current_user"`, fault.UnknownColumn, `"current_user"`, "no such column"},
	})
}

func TestEveryFunctionIsComplete(t *testing.T) {
	for name, f := range functions {
		given := 0
		for _, has := range []bool{f.f0 != nil, f.f1 != nil, f.f2 != nil, f.f3 != nil, f.fn != nil, f.compile != nil} {
			if has {
				given++
			}
		}
		assert.Equal(t, 1, given, name)
		assert.Equal(t, name, f.name)
		assert.Equal(t, name, parser.LowerASCII(name))
		assert.True(t, f.max < 0 || f.min <= f.max, name)
	}
}

// A long chain is evaluated in a loop: it needs no stack.
func TestLongChains(t *testing.T) {
	for _, op := range []string{" + ", " || ", " AND ", " OR "} {
		terms := make([]string, 10000)
		for i := range terms {
			terms[i] = "n"
		}
		x, _, err := compileScalar(strings.Join(terms, op))
		require.NoError(t, err, op)
		e := scalarEnv()
		v := x.Eval(e)
		require.NoError(t, e.Err, op)
		want := map[string]string{" + ": "100000", " AND ": "1", " OR ": "1"}[op]
		if op == " || " {
			assert.Len(t, v.S, 20000)
		} else {
			assert.Equal(t, want, value.QuoteSQL(v), op)
		}
	}
}
