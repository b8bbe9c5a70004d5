package expr

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/query/internal/jsonpath"
	"github.com/eventfold/eventfold/query/internal/value"
)

// benchExpr measures one evaluation of an expression on the row of the tests.
func benchExpr(b *testing.B, text string, args ...any) {
	x, _, err := compileScalar(text)
	if err != nil {
		b.Fatal(err)
	}
	e := scalarEnv()
	for _, a := range args {
		v, err := value.FromDriver(a, func(b []byte) string { return string(b) })
		if err != nil {
			b.Fatal(err)
		}
		e.Args = append(e.Args, Argument{Value: v})
	}
	test := x.Condition()
	b.ReportAllocs()
	for b.Loop() {
		test(e)
	}
	if e.Err != nil {
		b.Fatal(e.Err)
	}
}

// BenchmarkCompare measures conditions of WHERE. More than some ten ns, or an allocation, would be
// bad news.
func BenchmarkCompare(b *testing.B) {
	b.Run("text", func(b *testing.B) { benchExpr(b, "word = 'Hello'") })
	b.Run("int", func(b *testing.B) { benchExpr(b, "n >= 10") })
	b.Run("param", func(b *testing.B) { benchExpr(b, "n >= ?", int64(10)) })
	b.Run("time", func(b *testing.B) { benchExpr(b, "recorded_at >= '2026-01-01'") })
	b.Run("time-param", func(b *testing.B) { benchExpr(b, "recorded_at >= ?", "2026-01-01") })
	b.Run("and", func(b *testing.B) { benchExpr(b, "word = 'Hello' AND n > 5") })
	b.Run("in-short", func(b *testing.B) { benchExpr(b, "word IN ('a', 'b', 'Hello')") })
	b.Run("in-long", func(b *testing.B) { benchExpr(b, "word IN ('a','b','c','d','e','f','g','h','i','Hello')") })
	b.Run("between", func(b *testing.B) { benchExpr(b, "n BETWEEN 1 AND 100") })
	b.Run("arithmetic", func(b *testing.B) { benchExpr(b, "n * 2 + 1 > 20") })
}

// BenchmarkLike measures LIKE. Its cost should be that of the bytes looked at.
func BenchmarkLike(b *testing.B) {
	b.Run("prefix", func(b *testing.B) { benchExpr(b, "word LIKE 'hel%'") })
	b.Run("inside", func(b *testing.B) { benchExpr(b, "payload LIKE '%\"s\"%'") })
	b.Run("param", func(b *testing.B) { benchExpr(b, "word LIKE ?", "hel%") })
	b.Run("regexp", func(b *testing.B) { benchExpr(b, "word REGEXP '^Hel'") })
}

// benchDocument is a document of 240 bytes, as events have them.
const benchDocument = `{"order_id":"ord-00012345","customer":{"id":"cus-0099","name":"Ada Lovelace","tier":"gold"},"items":[{"sku":"A-1","qty":2,"price":1999},{"sku":"B-7","qty":1,"price":4999}],"currency":"EUR","amount":8997,"note":"gift wrap, please"}`

// BenchmarkJSONPath measures the look-up of paths in a document of 240 bytes. More than 250 ns for
// a path, or an allocation, would be bad news.
func BenchmarkJSONPath(b *testing.B) {
	for _, path := range []string{"$.order_id", "$.customer.tier", "$.items[1].price", "$.amount", "$.missing"} {
		p, err := jsonpath.Parse(path)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(path, func(b *testing.B) {
			b.SetBytes(int64(len(benchDocument)))
			b.ReportAllocs()
			for b.Loop() {
				p.Extract(benchDocument).SQL()
			}
		})
	}
	b.Run("five at once", func(b *testing.B) {
		var paths []*jsonpath.Path
		for _, path := range []string{"$.order_id", "$.customer.tier", "$.customer.id", "$.items[1].price", "$.amount"} {
			p, err := jsonpath.Parse(path)
			if err != nil {
				b.Fatal(err)
			}
			paths = append(paths, p)
		}
		prepared, out := jsonpath.NewPaths(paths), make([]jsonpath.Raw, len(paths))
		b.SetBytes(int64(len(benchDocument)))
		b.ReportAllocs()
		for b.Loop() {
			prepared.Extract(benchDocument, out)
		}
	})
}

// TestJSONPathAllocations holds that looking up paths allocates nothing.
func TestJSONPathAllocations(t *testing.T) {
	var paths []*jsonpath.Path
	for _, path := range []string{"$.order_id", "$.customer.tier", "$.items[1].price", "$.amount", "$.missing"} {
		p, err := jsonpath.Parse(path)
		require.NoError(t, err)
		assert.Zero(t, testing.AllocsPerRun(100, func() { p.Extract(benchDocument).SQL() }), path)
		paths = append(paths, p)
	}
	prepared, out := jsonpath.NewPaths(paths), make([]jsonpath.Raw, len(paths))
	assert.Zero(t, testing.AllocsPerRun(100, func() { prepared.Extract(benchDocument, out) }), "all at once")
}

// BenchmarkFormat measures texts of values.
func BenchmarkFormat(b *testing.B) {
	b.Run("real", func(b *testing.B) { benchExpr(b, "f || ''") })
	b.Run("third", func(b *testing.B) { benchExpr(b, "(f / 3) || ''") })
	b.Run("time", func(b *testing.B) { benchExpr(b, "recorded_at || ''") })
	b.Run("date", func(b *testing.B) { benchExpr(b, "date(recorded_at)") })
	b.Run("trunc", func(b *testing.B) { benchExpr(b, "date_trunc('day', recorded_at)") })
	b.Run("unixepoch", func(b *testing.B) { benchExpr(b, "unixepoch(recorded_at)") })
}
