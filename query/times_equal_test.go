package query

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
)

// looseValues are values that are equal to a time, or not, or not comparable with one, in a column
// whose type tells nothing.
var looseValues = []string{"timestamp('2026-01-02')", "5", "2.5", "'2026-01-02'", "'2026-01-02 01:00+01:00'",
	"'2026-01-02T00:00:00.000000Z'",
	"'x'", "x'00'", "NULL", "timestamp('2026-01-03')"}

// looseSession has a stream with an event for each of looseValues, and loose is a sub-query that
// gives some of them in the column x.
func looseSession(t testing.TB) (s *Session, loose func(list ...int) string) {
	s = &Session{Store: openStore(t, filestore.Options{})}
	var cases strings.Builder
	for i, v := range looseValues {
		exec(t, s, "INSERT INTO s (type) VALUES ('x')")
		fmt.Fprintf(&cases, " WHEN %d THEN %s", i, v)
	}
	return s, func(list ...int) string {
		in := strings.Join(strings.Fields(strings.Trim(fmt.Sprint(list), "[]")), ", ")
		return "(SELECT version AS n, CASE version" + cases.String() + " END AS x FROM s WHERE version IN (" + in + "))"
	}
}

// equalAnswer is what "=" says of two values: that they are equal, that they are not, or an error.
func equalAnswer(rows []string, err error) string {
	if err != nil {
		return err.Error()
	}
	return strings.Join(rows, " ")
}

// TestEveryWayOfComparingTakesTimesAlike: joins that hash and joins that do not, IN (SELECT ...)
// and EXISTS find the same, and refuse the same, as "=" does, whatever stands beside a time.
func TestEveryWayOfComparingTakesTimesAlike(t *testing.T) {
	testenv.WithoutRace(t)
	s, loose := looseSession(t)
	refused := 0
	for i := range looseValues {
		for k := range looseValues {
			a, b := loose(i)+" AS a", loose(k)+" AS b"
			run := func(text string) string {
				text = strings.NewReplacer("{a}", a, "{b}", b).Replace("SELECT COUNT(*) FROM " + text)
				return equalAnswer(tryRows(context.Background(), s, text))
			}
			want := run("{a} WHERE EXISTS (SELECT 1 FROM {b} WHERE CASE WHEN a.x = b.x THEN 1 END)")
			for _, text := range []string{
				"{a}, {b} WHERE a.x = b.x", "{b}, {a} WHERE a.x = b.x", "{a} JOIN {b} ON b.x = a.x",
				"{b} JOIN {a} ON b.x = a.x", "{a} JOIN {b} USING (x)", "{b} JOIN {a} USING (x)",
				"{a}, {b} WHERE a.x = b.x OR 0", "{b}, {a} WHERE a.x = b.x OR 0",
				"{a} JOIN {b} ON a.x = b.x AND a.n >= 0 AND a.n - a.n = b.n - b.n",
				"{a} LEFT JOIN {b} ON a.x = b.x WHERE b.n IS NOT NULL",
				"{b} LEFT JOIN {a} ON a.x = b.x WHERE a.n IS NOT NULL",
				"{a} LEFT JOIN {b} USING (x) WHERE b.n IS NOT NULL",
				"{a}, {b}, {a2} WHERE a.x = b.x AND a2.n = a.n",
				"{a} WHERE x IN (SELECT x FROM {b})", "{b} WHERE x IN (SELECT x FROM {a})",
				"{a} WHERE x IN (SELECT b.x FROM {b} WHERE b.n + a.n >= 0)",
				"{a} WHERE (x NOT IN (SELECT x FROM {b})) = 0",
				"{a} WHERE EXISTS (SELECT 1 FROM {b} WHERE b.x = a.x)",
				"{b} WHERE EXISTS (SELECT 1 FROM {a} WHERE a.x = b.x)", "{a} WHERE x = (SELECT x FROM {b})",
				"{a} WHERE x IN ((SELECT x FROM {b}), NULL)",
			} {
				text = strings.ReplaceAll(text, "{a2}", loose(i)+" AS a2")
				require.Equal(t, want, run(text), "%s = %s, %s", looseValues[i], looseValues[k], text)
			}
			if strings.Contains(want, "a time cannot be compared with a number") {
				refused++
			}
		}
	}
	assert.Equal(t, 2*2*2, refused, "two times and two numbers, on both sides")
}

// TestJoinsOfTimesAmongOtherValues: a join of many rows finds for each of them what "=" finds, and
// none of them twice.
func TestJoinsOfTimesAmongOtherValues(t *testing.T) {
	s, loose := looseSession(t)
	texts, numbers := []int{0, 3, 4, 5, 6, 7, 8, 9}, []int{1, 2, 3, 4, 5, 6, 7, 8}
	for _, tt := range []struct{ a, b []int }{{texts, texts}, {numbers, numbers}, {[]int{0, 9}, []int{9, 0}},
		{texts, []int{6, 0}}} {
		joined := loose(tt.a...) + " AS a, " + loose(tt.b...) + " AS b"
		want := rowsOf(t, s, "SELECT a.n, b.n FROM "+joined+" WHERE a.x = b.x OR 0 ORDER BY 1, 2")
		assert.Equal(t, want, rowsOf(t, s, "SELECT a.n, b.n FROM "+joined+" WHERE a.x = b.x ORDER BY 1, 2"))
		assert.Contains(t, explained(t, s, "SELECT a.n FROM "+joined+" WHERE a.x = b.x"), "hash join")
		assert.Contains(t, explained(t, s, "SELECT a.n FROM "+joined+" WHERE a.x = b.x OR 0"), "loop join")
	}
}

// TestTimesInListsAreComparedAsTimes: few values, which are compared one by one, many, which are
// hashed, and slices answer as "=" does.
func TestTimesInListsAreComparedAsTimes(t *testing.T) {
	s := &Session{Store: openStore(t, filestore.Options{})}
	day := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	const mixed = "a time cannot be compared with a number"
	values := []driver.Value{day, int64(5), 2.5, "2026-01-02", "2026-01-02 01:00+01:00", "2026-01-02T00:00:00.000000Z",
		"x", day.AddDate(0, 0, 1), nil}
	ask := func(text string, args ...driver.Value) ([]string, error) {
		list := make([]any, len(args))
		for i, a := range args {
			list[i] = a
		}
		return tryRows(context.Background(), s, "SELECT "+text, list...)
	}
	negated := map[string]string{"1": "0", "0": "1", "NULL": "NULL"}
	for _, x := range values {
		for _, y := range values {
			want, wantErr := ask("? = ?", x, y)
			for _, n := range []int{0, 2, 12} { // other values in the list, which equal nothing here
				args, marks := []driver.Value{x}, "?"
				for i := range n {
					args, marks = append(args, fmt.Sprint("other ", i)), marks+", ?"
				}
				args = append(args, y)
				bound, boundErr := ask("? IN (?)", x, List(args[1:]))
				got, err := ask("? IN ("+marks+")", args...)
				if wantErr != nil {
					assert.ErrorContains(t, err, mixed, "%v among %d: %v", x, n, y)
					assert.ErrorContains(t, boundErr, mixed, "%v in a slice of %d and %v", x, n, y)
					continue
				}
				require.NoError(t, err)
				assert.Equal(t, want, got, "%v IN %d texts and %v", x, n, y)
				require.NoError(t, boundErr)
				assert.Equal(t, want, bound, "%v IN a slice of %d and %v", x, n, y)
				not, err := ask("? NOT IN ("+marks+")", args...)
				require.NoError(t, err)
				assert.Equal(t, negated[want[0]], not[0], "%v NOT IN %d texts and %v", x, n, y)
			}
		}
	}
}

// TestTimesAndNumbersAreRefusedWhereTheyMeet: the error names the place where "=" would name it,
// and rows that no "=" compares are no reason for one.
func TestTimesAndNumbersAreRefusedWhereTheyMeet(t *testing.T) {
	s, loose := looseSession(t)
	times, numbers := loose(0, 9)+" AS a", loose(1, 2, 8)+" AS b"
	for text, at := range map[string]string{
		times + " JOIN " + numbers + " ON a.x = b.x":                            "b.x",
		numbers + " JOIN " + times + " ON a.x = b.x":                            "b.x",
		times + ", " + numbers + " WHERE b.x = a.x":                             "a.x",
		times + " JOIN " + numbers + " USING (x)":                               "(SELECT version AS n", // the side that it is
		times + " WHERE a.x IN (SELECT x FROM " + numbers + ")":                 "a.x IN",
		times + " WHERE EXISTS (SELECT 1 FROM " + numbers + " WHERE a.x = b.x)": "b.x)",
	} {
		text = "SELECT COUNT(*) FROM " + text
		_, err := tryRows(context.Background(), s, text)
		var e *Error
		if assert.ErrorAs(t, err, &e, text) {
			assert.Equal(t, BadValue, e.Kind)
			assert.Contains(t, e.Msg, "a time cannot be compared with a number", text)
			assert.True(t, strings.HasPrefix(text[e.Pos:], at), "error at %q, not %q", text[e.Pos:], at)
		}
	}
	for _, text := range []string{
		loose(0, 9) + " AS a, " + loose(8) + " AS b WHERE a.x = b.x",
		loose(0, 9) + " AS a, " + loose() + " AS b WHERE a.x = b.x",
		loose(8) + " AS a, " + loose(1, 0) + " AS b WHERE a.x = b.x",
		loose(0) + " AS a, " + loose(1) + " AS b WHERE a.n = b.n AND a.x = b.x",
	} {
		assert.Equal(t, []string{"0"}, rowsOf(t, s, "SELECT COUNT(*) FROM "+text), text)
	}
}

// TestTimesAreNotEqualToEachOtherByWayOfTexts: that a = b and b = c does not say that a = c, where
// b is a time and a and c are texts that write it in two ways. So no order of joining may ask for
// it.
func TestTimesAreNotEqualToEachOtherByWayOfTexts(t *testing.T) {
	s, loose := looseSession(t)
	from := []string{loose(3, 6) + " AS a", loose(0, 9) + " AS b", loose(4, 7) + " AS c"}
	permutations(from, func(order []string) {
		rows := rowsOf(t, s, "SELECT a.n, b.n, c.n FROM "+strings.Join(order, ", ")+" WHERE a.x = b.x AND b.x = c.x")
		assert.Equal(t, []string{"3 | 0 | 4"}, rows, order)
		rows = rowsOf(t, s,
			"SELECT a.n, b.n, c.n FROM "+strings.Join(order, ", ")+" WHERE a.x = b.x AND b.x = c.x AND a.x = '2026-01-02'")
		assert.Equal(t, []string{"3 | 0 | 4"}, rows, order)
	})
}

// TestTextsBesideTimesInEveryCollation: what the collation takes for the same text is the same
// time, in a list as in a comparison, and the same group.
func TestTextsBesideTimesInEveryCollation(t *testing.T) {
	s, loose := looseSession(t)
	for text, want := range map[string]string{
		"'2026-01-02t00:00:00.000000z' COLLATE NOCASE":  "1",
		"'2026-01-02T00:00:00.000000Z  ' COLLATE RTRIM": "1", "'2026-01-02  ' COLLATE RTRIM": "1",
		"'2026-01-02t00:00:00.000000z'": "1", "'2026-01-02  '": "0", "'2026-01-03' COLLATE NOCASE": "0",
	} {
		for _, condition := range []string{"x = %s", "%s = x", "%s IN (SELECT x FROM " + loose(0, 6) + ")",
			"%s IN (SELECT x FROM " + loose(0) + " UNION ALL SELECT 'y')", "x || '' IN (x) AND %s = x"} {
			text := "SELECT COUNT(*) FROM " + loose(0) + " WHERE " + fmt.Sprintf(condition, text)
			assert.Equal(t, []string{want}, rowsOf(t, s, text), text)
		}
	}
	for text, want := range map[string]string{
		"'2026-01-02T00:00:00.000000Z' AS x UNION ALL SELECT '2026-01-02t00:00:00.000000z'": "1",
		"'2026-01-02T00:00:00.000000Z' AS x UNION ALL SELECT '2026-01-02T00:00:00.000001z'": "2",
	} {
		assert.Equal(t, []string{want}, rowsOf(t, s, "SELECT COUNT(DISTINCT x COLLATE NOCASE) FROM (SELECT "+text+")"), text)
	}
}

// TestTextColumnsReadTextBesideTimes: a column of type TEXT is read as times beside a time, whether
// the type of the time is known or not.
func TestTextColumnsReadTextBesideTimes(t *testing.T) {
	s, loose := looseSession(t)
	exec(t, s, "INSERT INTO \"2026-01-02\" (type) VALUES ('x')")
	days := "(SELECT DISTINCT stream AS x FROM \"2026-01-02\") AS b"
	for _, text := range []string{loose(0, 9) + " AS a, " + days + " WHERE a.x = b.x",
		days + ", " + loose(0, 9) + " AS a WHERE b.x = a.x",
		days + " WHERE x IN (SELECT x FROM " + loose(0, 5) + ")",
		loose(0, 9) + " AS a WHERE x IN (SELECT x FROM " + days + ")",
		days + " WHERE x = ?", days + " WHERE x IN (?)", days + " WHERE x IN (?, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h')", "$all WHERE stream IN (?, 'x')", "$all WHERE stream = ?"} {
		var args []any
		if strings.Contains(text, "?") {
			args = append(args, time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC))
		}
		assert.Equal(t, []string{"1"}, rowsOf(t, s, "SELECT COUNT(*) FROM "+text, args...), text)
	}
}
