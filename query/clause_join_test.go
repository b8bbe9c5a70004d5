package query

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/query/internal/value"
)

// explained returns the steps of a statement's plan, one a line.
func explained(t testing.TB, s *Session, text string) string {
	return strings.Join(rowsOf(t, s, "EXPLAIN "+text), "\n")
}

// permutations calls f with every order of the list.
func permutations(list []string, f func([]string)) {
	var permute func(int)
	permute = func(k int) {
		if k == len(list) {
			f(list)
			return
		}
		for i := k; i < len(list); i++ {
			list[k], list[i] = list[i], list[k]
			permute(k + 1)
			list[k], list[i] = list[i], list[k]
		}
	}
	permute(0)
}

// TestNoOrderOfFromMakesACrossProduct: whatever the order of the tables, each is joined by an
// equality if there is one.
func TestNoOrderOfFromMakesACrossProduct(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 40)
	s := &Session{Store: store}
	tables := []string{"$all a", "$all b", "$all c", "$all d"}
	tests := []struct {
		name, join, where string // join stands behind the tables
	}{
		{"a chain", "", "a.version = b.version AND b.stream = c.stream AND c.position = d.position"},
		{"a star", "", "a.version = b.version AND a.stream = c.stream AND d.type = a.type"},
		{"expressions", "", "a.version + 1 = b.version AND c.version = b.version * 2 AND d.stream || 'x' = c.stream || 'x'"},
		{"a sum of two tables", "",
			"a.position = b.position AND c.position = a.position + b.position AND d.version = c.version + a.version"},
		{"a constant", "",
			"a.version = b.version AND b.stream = c.stream AND c.position = d.position AND d.type = 'OrderEvent03'"},
		{"conditions besides", "", "a.version = b.version AND b.stream = c.stream AND c.position = d.position AND a.position < d.position AND b.type <> c.type"},
		{"a LEFT JOIN behind", " LEFT JOIN $all e ON e.version = b.version",
			"a.version = b.version AND b.stream = c.stream AND c.position = d.position"},
		{"a LEFT JOIN between", " LEFT JOIN $all e ON e.version = a.version JOIN $all f ON f.stream = d.stream",
			"a.version = b.version AND b.stream = c.stream AND c.position = d.position"},
		{"linked by the right side of a LEFT JOIN",
			" LEFT JOIN $all e ON e.version = a.version JOIN $all f ON f.stream = e.stream",
			"a.version = b.version AND b.stream = c.stream AND c.position = d.position"},
		{"ON far from its tables", " JOIN $all e ON a.version = b.version AND e.stream = a.stream",
			"b.stream = c.stream AND c.position = d.position"},
		{"a sub-query", " JOIN (SELECT stream, MAX(version) AS last FROM $all GROUP BY stream) x ON x.last = a.version",
			"a.version = b.version AND b.stream = c.stream AND c.position = d.position"},
	}
	for _, tt := range tests {
		permutations(tables, func(order []string) {
			text := "SELECT COUNT(*) FROM " + strings.Join(order, ", ") + tt.join + " WHERE " + tt.where
			plan := explained(t, s, text)
			require.Contains(t, plan, "hash", text)
			require.NotContains(t, plan, "loop", "%s: %s\n%s", tt.name, text, plan)
		})
	}
}

// scanned are the aliases of the tables of a plan, in the order in which EXPLAIN names them.
func scanned(plan string) string {
	var names []string
	for _, m := range regexp.MustCompile(` AS (\w+)`).FindAllStringSubmatch(plan, -1) {
		names = append(names, m[1])
	}
	return strings.Join(names, " ")
}

// TestOrderOfJoins: the order of FROM stays where it is a good one. Otherwise what equals a
// constant is joined first, and a cross product comes last.
func TestOrderOfJoins(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 40)
	s := &Session{Store: store}
	tests := []struct{ name, from, want string }{
		{"FROM's", "$all a JOIN $all b ON a.stream = b.stream JOIN $all c ON b.type = c.type", "a b c"},
		{"two tables", "$all a JOIN $all b ON a.stream = b.stream WHERE b.type = 'x'", "a b"},
		{"no equality", "$all a, $all b, $all c WHERE a.position < b.position", "a b c"},
		{"not linked", "$all a, $all b, $all c WHERE a.stream = c.stream AND b.position > c.position", "a c b"},
		{"linked later", "$all a, $all b, $all c, $all d WHERE a.stream = d.stream AND c.type = d.type", "a d c b"},
		{"linked over others", "$all a, $all c, $all b WHERE a.version = b.version AND b.version = c.version", "a c b"},
		{"not comparable alike", "$all a, $all c, $all b WHERE a.stream = b.type COLLATE NOCASE AND b.type = c.stream",
			"a b c"},
		{"the constant's neighbours",
			"$all a, $all b, $all c WHERE a.stream = b.stream AND b.version = c.version AND c.type = 'x'", "a b c"},
		{"a constant in front", "$all a, $all b, $all c, $all d WHERE b.stream = a.stream AND c.stream = a.stream AND a.type = d.type AND c.version = 1", "a c b d"},
		{"a lone constant", "$all a, $all b, $all c WHERE b.type = c.type AND a.position = 3", "b c a"},
		{"LEFT JOIN where it stands", "$all a LEFT JOIN $all b ON a.stream = b.stream JOIN $all c ON a.type = c.type",
			"a b c"},
		{"LEFT JOIN before a cross product", "$all a, $all b LEFT JOIN $all c ON a.version = c.version", "a c b"},
		{"LEFT JOIN waits for its ON", "$all a, $all b LEFT JOIN $all c ON b.version = c.version, $all d WHERE a.type = d.type AND b.stream = d.stream", "a d b c"},
	}
	for _, tt := range tests {
		plan := explained(t, s, "SELECT COUNT(*) FROM "+tt.from)
		assert.Equal(t, tt.want, scanned(plan), "%s: %s\n%s", tt.name, tt.from, plan)
	}
}

// TestConstantSpreadsOverEqualities: what equals a column that equals a constant is looked up by
// that constant, too, in an index if there is one. It does not where the equality compares in
// another way.
func TestConstantSpreadsOverEqualities(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 40)
	s := &Session{Store: store}
	tests := []struct {
		from  string
		index int // scans that use the index of streams
	}{
		{"$all a JOIN $all b USING (stream) WHERE a.stream = 'order-000001'", 2},
		{"$all a, $all b, $all c WHERE a.stream = b.stream AND c.stream = b.stream AND 'order-000001' = c.stream", 3},
		{"$all a LEFT JOIN $all b ON b.stream = a.stream WHERE a.stream = 'order-000001'", 2},
		{"$all a LEFT JOIN $all b ON b.stream = a.stream AND b.stream = 'order-000001'", 1},
		{"$all a JOIN $all b ON a.stream = b.stream COLLATE NOCASE WHERE a.stream = 'order-000001'", 1},
		{"$all a JOIN $all b ON a.stream = b.stream OR 1 = 1 WHERE a.stream = 'order-000001'", 1},
		{"$all a LEFT JOIN ($all b JOIN $all c ON b.stream = c.stream) ON b.stream = a.stream WHERE a.stream = 'order-000001'", 3},
	}
	for _, tt := range tests {
		plan := explained(t, s, "SELECT COUNT(*) FROM "+tt.from)
		assert.Equal(t, tt.index, strings.Count(plan, "streams [order-000001]"), "%s\n%s", tt.from, plan)
	}
}

// TestSixtyFourTablesAreJoined joins as many tables as there may be, which follow each other like
// the links of a chain, in random orders: in the order of FROM it would never end.
func TestSixtyFourTablesAreJoined(t *testing.T) {
	db := newMemDB(t)
	r := rand.New(rand.NewPCG(1, 2))
	var from, where []string
	for i := range maxTables {
		m := &memTable{label: fmt.Sprintf("t%d", i), columns: []tableColumn{
			nullable(column(fmt.Sprintf("a%d", i), Integer, value.AffInteger)), nullable(column(fmt.Sprintf("b%d", i),
				Integer, value.AffInteger))}}
		for k := range 10 {
			m.rows = append(m.rows, []value.Value{value.OfInt(int64(k)), value.OfInt(int64((k + 3) % 10))})
		}
		db.tables.tables[m.label] = m
		from = append(from, m.label)
		if i > 0 {
			where = append(where, fmt.Sprintf("a%d = b%d", i, i-1))
		}
	}
	for range 5 {
		r.Shuffle(len(from), func(i, j int) { from[i], from[j] = from[j], from[i] })
		r.Shuffle(len(where), func(i, j int) { where[i], where[j] = where[j], where[i] })
		rows, err := db.Query("SELECT COUNT(*), MIN(a0), MAX(b63) FROM " + strings.Join(from,
			", ") + " WHERE " + strings.Join(where, " AND "))
		require.NoError(t, err)
		require.Equal(t, [][]any{{int64(10), int64(0), int64(9)}}, rows)
		rows, err = db.Query("SELECT a0, a63 FROM " + strings.Join(from, ", ") + " WHERE " + strings.Join(where,
			" AND ") + " AND a40 = 1")
		require.NoError(t, err)
		require.Equal(t, [][]any{{int64(1), int64(0)}}, rows) // 40 links back and 23 on, 3 a link, of 10
	}
}

// BenchmarkJoinOrder measures a join of three tables of 4,000 rows each, in an order of FROM that
// follows the equalities and in one that begins with two tables that none links. Bad news: a ratio
// of the two that is more than 2.
func BenchmarkJoinOrder(b *testing.B) {
	store := openStore(b, filestore.Options{})
	fill(b, store, 4000)
	s := &Session{Store: store}
	for _, bench := range []struct{ name, from string }{{"good", "$all a, $all c, $all b"},
		{"bad", "$all a, $all b, $all c"}} {
		plan := mustCompile(b,
			"SELECT COUNT(*) FROM "+bench.from+" WHERE a.position = c.position AND b.position || '' = c.position || ''")
		b.Run(bench.name, func(b *testing.B) {
			for b.Loop() {
				readAll(b, s, plan)
			}
		})
	}
}
