package expr

import (
	"strings"
	"testing"

	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
)

func TestLike(t *testing.T) {
	checkFacts(t, []fact{
		{"'B' LIKE 'b'", "1"}, {"'É' LIKE 'é'", "0"}, {"'abc' LIKE 'A%'", "1"}, {"'abc' LIKE '%C'", "1"},
		{"'abc' LIKE '%B%'", "1"}, {"'abc' LIKE 'a_c'", "1"}, {"'aéc' LIKE 'a_c'", "1"},
		{"'abc' LIKE 'ab'", "0"}, {"'ab' LIKE 'abc'", "0"}, {"'' LIKE ''", "1"}, {"'' LIKE '%'", "1"},
		{"'' LIKE '_'", "0"}, {"'x' LIKE ''", "0"}, {"'abc' LIKE '%%c'", "1"}, {"'aab' LIKE '%ab'", "1"},
		{"'abab' LIKE '%ab%ab%'", "1"}, {"'aba' LIKE '%ab%ba%'", "0"}, {"'abc' LIKE '___'", "1"},
		{"'abc' LIKE '__%_%_'", "0"}, {"'abc' LIKE '%_c'", "1"},
		{"'50%' LIKE '50\\%' ESCAPE '\\'", "1"}, {"'500' LIKE '50\\%' ESCAPE '\\'", "0"},
		{"'a_c' LIKE 'a%_c' ESCAPE '%'", "1"}, {"'abc' LIKE 'abc\\' ESCAPE '\\'", "0"},
		{"'éa' LIKE 'ééa' ESCAPE 'é'", "1"}, {"'A' LIKE 'xa' ESCAPE 'x'", "1"},
		{"'abc' NOT LIKE 'a%'", "0"}, {"NULL LIKE 'a'", "NULL"}, {"'a' LIKE NULL", "NULL"},
		{"'a' LIKE 'a' ESCAPE NULL", "NULL"}, {"123 LIKE '12%'", "1"}, {"2.5 LIKE '2._'", "1"},
		{"x'61' LIKE '%'", "0"}, {"x'61' NOT LIKE '%'", "1"}, {"NULL LIKE x'61'", "0"},
		{"word LIKE word", "1"}, {"word LIKE upper(word)", "1"}, {"word LIKE 'h' || '%'", "1"},
		{"recorded_at LIKE '2026-01-02%'", "1"},
		{"like('a%', 'ABC')", "1"}, {"like('ax%', 'A%', 'x')", "1"},
	})
	checkRefusals(t, []refusal{
		{"word LIKE 'a' ESCAPE 'xy'", fault.BadArgument, "'xy'", "single character"},
		{"word LIKE 'a' ESCAPE ''", fault.BadArgument, "''", "single character"},
		{"word LIKE '" + strings.Repeat("x", value.MaxPattern+1) + "'", fault.BadArgument, "LIKE", "longer than"},
	})
}

func TestGlob(t *testing.T) {
	checkFacts(t, []fact{
		{"glob('a*c', 'abbc')", "1"}, {"glob('A*', 'abc')", "0"}, {"glob('?b?', 'abc')", "1"},
		{"glob('[a-c]*', 'bx')", "1"}, {"glob('[^a-c]*', 'bx')", "0"}, {"glob('[]]', ']')", "1"},
		{"glob('[^]]', ']')", "0"},
		{"glob('[a-', 'a')", "0"}, {"glob('*', '')", "1"}, {"glob('', '')", "1"}, {"glob('', 'a')", "0"},
		{"glob('?', 'é')", "1"}, {"glob('[é]', 'é')", "1"}, {"glob('a*b*c', 'aXbYbZc')", "1"},
		{"glob(NULL, 'a')", "NULL"}, {"glob('*', x'61')", "0"},
	})
}

func TestRegexp(t *testing.T) {
	checkFacts(t, []fact{
		{"'abc' REGEXP 'b'", "1"}, {"'abc' REGEXP '^b'", "0"}, {"'abc' NOT REGEXP '^b'", "1"},
		{"'ABC' REGEXP '(?i)b'", "1"}, {"NULL REGEXP 'a'", "NULL"}, {"'a' REGEXP NULL", "NULL"},
		{"123 REGEXP '^\\d+$'", "1"}, {"word REGEXP word", "1"},
	})
	checkRefusals(t, []refusal{
		{"word REGEXP '('", fault.BadArgument, "'('", "regular expression"},
	})
}
