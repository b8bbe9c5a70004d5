package expr

import (
	"database/sql/driver"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
)

// The wants of this table are what SQLite 3.54 says.
func TestDateFunctions(t *testing.T) {
	checkFacts(t, []fact{
		{"date('2026-01-31')", "'2026-01-31'"},
		{"date('2026-02-31')", "'2026-03-03'"},
		{"date('2026-02-31', '+0 days')", "'2026-03-03'"},
		{"datetime('2026-01-02T03:04:05.678Z')", "'2026-01-02 03:04:05'"},
		{"datetime('2026-01-02 03:04:05.678', 'subsec')", "'2026-01-02 03:04:05.678'"},
		{"datetime('2026-01-02 03:04+01:30')", "'2026-01-02 01:34:00'"},
		{"datetime('2026-01-02 03:04 -05:00')", "'2026-01-02 08:04:00'"},
		{"time('12:34')", "'12:34:00'"},
		{"date('12:34')", "'2000-01-01'"},
		{"datetime('2026-01-02 24:00')", "'2026-01-03 00:00:00'"},
		{"datetime('2026-01-02 24:01')", "NULL"},
		{"date('nonsense')", "NULL"},
		{"date('2026-13-01')", "NULL"},
		{"date('2026-1-1')", "NULL"},
		{"date(NULL)", "NULL"},
		{"date('2026-01-01', NULL)", "NULL"},
		{"date('2026-01-01', 'bogus')", "NULL"},
		{"datetime(0, 'unixepoch')", "'1970-01-01 00:00:00'"},
		{"datetime(1700000000.5, 'unixepoch', 'subsec')", "'2023-11-14 22:13:20.500'"},
		{"datetime(1700000000, 'auto')", "'2023-11-14 22:13:20'"},
		{"datetime(2451545, 'auto')", "'2000-01-01 12:00:00'"},
		{"datetime(2451545.5)", "'2000-01-02 00:00:00'"},
		{"datetime('1700000000', 'unixepoch')", "'2023-11-14 22:13:20'"},
		{"date(2451545, 'julianday')", "'2000-01-01'"},
		{"date('2026-01-01', 'unixepoch')", "NULL"},
		{"date('2026-01-31', '+1 month')", "'2026-03-03'"},
		{"date('2026-01-31', '+1 month', 'floor')", "'2026-02-28'"},
		{"date('2026-01-31', '+1 month', 'ceiling')", "'2026-03-03'"},
		{"date('2024-02-29', '+1 year')", "'2025-03-01'"},
		{"date('2026-03-15', '-14 days')", "'2026-03-01'"},
		{"datetime('2026-03-15', '+1.5 hours')", "'2026-03-15 01:30:00'"},
		{"datetime('2026-03-15', '-90 seconds')", "'2026-03-14 23:58:30'"},
		{"datetime('2026-03-15', '+01:30')", "'2026-03-15 01:30:00'"},
		{"datetime('2026-03-15 12:00', '-01:30:15')", "'2026-03-15 10:29:45'"},
		{"date('2026-03-15', '+0001-02-03')", "'2027-05-18'"},
		{"datetime('2026-03-15', '-0000-01-00 01:00')", "'2026-02-14 23:00:00'"},
		{"date('2026-03-15', 'start of month')", "'2026-03-01'"},
		{"date('2026-03-15', 'start of year')", "'2026-01-01'"},
		{"datetime('2026-03-15 12:00', 'start of day')", "'2026-03-15 00:00:00'"},
		{"date('2026-03-15', 'weekday 0')", "'2026-03-15'"},
		{"date('2026-03-15', 'weekday 3')", "'2026-03-18'"},
		{"date('2026-03-15', 'weekday 7')", "NULL"},
		{"date('-0100-01-01')", "'-0100-01-01'"},
		{"date('2026-01-01', '+10000 years')", "NULL"},
		{"datetime('2026-01-02', 'utc')", "'2026-01-02 00:00:00'"}, {"date('2026-02-30', 'utc')", "'2026-03-02'"},
		{"datetime('2026-01-02', 'utc')", "'2026-01-02 00:00:00'"},
		{"julianday('2000-01-01 12:00')", "2451545.0"},
		{"julianday('2026-01-02 03:04:05')", "2461042.6278356481"},
		{"unixepoch('2026-01-02 03:04:05')", "1767323045"},
		{"unixepoch('1969-12-31 23:59:59')", "-1"},
		{"unixepoch('2026-01-02 03:04:05.678', 'subsec')", "1767323045.678"},
		{"strftime('%Y-%m-%dT%H:%M:%fZ', '2026-01-02 03:04:05.678')", "'2026-01-02T03:04:05.678Z'"},
		{"strftime('%j %w %u %W %U %V %G %g', '2026-01-02')", "'002 5 5 00 00 01 2026 26'"},
		{"strftime('%j %w %u %W %U %V %G %g', '2024-12-30')", "'365 1 1 53 52 01 2025 25'"},
		{"strftime('%e|%k|%l|%I|%p|%P', '2026-01-02 03:04')", "' 2| 3| 3|03|AM|am'"},
		{"strftime('%e|%k|%l|%I|%p|%P', '2026-01-12 15:04')", "'12|15| 3|03|PM|pm'"},
		{"strftime('%s %J', '2026-01-02')", "'1767312000 2461042.5'"},
		{"strftime('%F %T %R %S%%', '2026-01-02 03:04:05')", "'2026-01-02 03:04:05 03:04 05%'"},
		{"strftime('%x', '2026-01-02')", "NULL"},
		{"strftime('%', '2026-01-02')", "NULL"},
		{"strftime(NULL, '2026-01-02')", "NULL"},
		{"strftime('text', '2026-01-02')", "'text'"},
		{"date(9007199254740992, 'auto')", "NULL"},
		{"strftime('%Y %G %g %F', '-0100-01-10')", "'-100 -100 00 -100-01-10'"},
		// of times
		{"date(recorded_at)", "'2026-01-02'"}, {"time(recorded_at)", "'03:04:05'"},
		{"datetime(recorded_at, '+1 day')", "'2026-01-03 03:04:05'"},
		{"strftime('%H:%M:%f', recorded_at)", "'03:04:05.123'"},
		{"unixepoch(recorded_at)", "1767323045"}, {"unixepoch(recorded_at, 'subsec')", "1767323045.123"},
		{"julianday(recorded_at) = julianday('2026-01-02 03:04:05.123')", "1"},
		// now
		{"date()", "'2026-11-25'"}, {"datetime('now')", "'2026-11-25 12:00:00'"},
		{"datetime('now', 'subsec')", "'2026-11-25 12:00:00.654'"},
		{"date('NOW', '-1 day')", "'2026-11-24'"}, {"datetime('subsec')", "'2026-11-25 12:00:00.654'"},
		{"unixepoch()", "1795608000"}, {"strftime('%Y')", "'2026'"}, {"time('now')", "'12:00:00'"},
	})
}

// Functions and syntax that tools of other databases send.
func TestTimeFunctionsOfOurs(t *testing.T) {
	checkFacts(t, []fact{
		{"now()", "'2026-11-25T12:00:00.654321Z'"}, {"unix_timestamp()", "1795608000"},
		{"unix_timestamp(recorded_at)", "1767323045"},
		{"unix_timestamp('2026-01-02 03:04:05')", "1767323045"}, {"unix_timestamp('x')", "NULL"},
		{"unix_timestamp(recorded_at) DIV 300 * 300", "1767322800"},
		{"from_unixtime(1767323045)", "'2026-01-02T03:04:05.000000Z'"},
		{"from_unixtime(1767323045.5)", "'2026-01-02T03:04:05.500000Z'"},
		{"from_unixtime('0')", "'1970-01-01T00:00:00.000000Z'"}, {"from_unixtime(1e15)", "NULL"},
		{"from_unixtime(NULL)", "NULL"}, {"from_unixtime(0, '%Y')", "'1970'"},
		{"recorded_at BETWEEN from_unixtime(1767323045) AND from_unixtime(1767323046)", "1"},
		{"date_trunc('second', recorded_at)", "'2026-01-02T03:04:05.000000Z'"},
		{"date_trunc('minute', recorded_at)", "'2026-01-02T03:04:00.000000Z'"},
		{"date_trunc('hour', recorded_at)", "'2026-01-02T03:00:00.000000Z'"},
		{"date_trunc('day', recorded_at)", "'2026-01-02T00:00:00.000000Z'"},
		{"date_trunc('week', recorded_at)", "'2025-12-29T00:00:00.000000Z'"},
		{"date_trunc('month', '2026-05-20')", "'2026-05-01T00:00:00.000000Z'"},
		{"date_trunc('quarter', '2026-05-20')", "'2026-04-01T00:00:00.000000Z'"},
		{"date_trunc('YEARS', '2026-05-20')", "'2026-01-01T00:00:00.000000Z'"},
		{"date_trunc('decade', '2026-05-20')", "'2020-01-01T00:00:00.000000Z'"},
		{"date_trunc('century', '2026-05-20')", "'2001-01-01T00:00:00.000000Z'"},
		{"date_trunc('century', '2000-05-20')", "'1901-01-01T00:00:00.000000Z'"},
		{"date_trunc('day', '1969-12-31 23:59')", "'1969-12-31T00:00:00.000000Z'"},
		{"date_trunc(lower('DAY'), recorded_at)", "'2026-01-02T00:00:00.000000Z'"},
		{"date_trunc('day', word)", "NULL"},
		{"date_bin('15 minutes', recorded_at)", "'2026-01-02T03:00:00.000000Z'"},
		{"date_bin('1 hour', recorded_at, '2026-01-02 00:30')", "'2026-01-02T02:30:00.000000Z'"},
		{"date_bin(INTERVAL 5 SECOND, recorded_at)", "'2026-01-02T03:04:05.000000Z'"},
		{"extract(epoch FROM recorded_at)", "1767323045.123456"},
		{"floor(extract(epoch from recorded_at)/300)*300", "1767322800.0"},
		{"extract(YEAR FROM recorded_at)", "2026"}, {"extract(dow FROM recorded_at)", "5"},
		{"extract(doy FROM recorded_at)", "2"}, {"extract(week FROM recorded_at)", "1"},
		{"extract(quarter FROM recorded_at)", "1"}, {"extract(microsecond FROM recorded_at)", "5123456"},
		{"extract(second FROM recorded_at)", "5.123456"},
		{"date_part('milliseconds', recorded_at)", "5123.456"},
		{"extract(second FROM '1969-12-31 23:59:58.25')", "58.25"},
		{"extract(isodow FROM '2026-01-04')", "7"}, {"extract(century FROM '2000-01-01')", "20"},
		{"date_part('hour', recorded_at)", "3"}, {"datepart('minute', recorded_at)", "4"},
		{"year(recorded_at) * 10000 + month(recorded_at) * 100 + day(recorded_at)", "20260102"},
		{"hour(recorded_at)", "3"}, {"minute('2026-01-01 10:20')", "20"}, {"second(recorded_at)", "5"},
		{"year('x')", "NULL"}, {"year(NULL)", "NULL"},
		{"date_format(recorded_at, '%Y-%m-%d %H:%i:%s.%f')", "'2026-01-02 03:04:05.123456'"},
		{"date_format(recorded_at, '%W %M %e %y %a %b %c %k %l %p %j %r %T %%')",
			"'Friday January 2 26 Fri Jan 1 3 3 AM 002 03:04:05 AM 03:04:05 %'"},
		{"date_format('1969-12-31 23:59:58', '%s')", "'58'"},
		{"date_format('2024-05-22', '%D')", "'22nd'"},
		{"date_format('2024-05-11', '%D %M')", "'11th May'"},
		{"date_format('2024-05-03', '%D%%')", "'3rd%'"}, {"from_unixtime(0, '%D')", "'1st'"},
		// weeks: Sunday or Monday first, and where the days before the first week belong
		{"date_format('2024-12-29', '%X-%V %x-%v %U %u')", "'2024-52 2024-52 52 52'"},
		{"date_format('2024-12-30', '%X-%V %x-%v %U %u')", "'2024-52 2025-01 52 53'"},
		{"date_format('2026-01-01', '%X-%V %x-%v %U %u')", "'2025-52 2026-01 00 01'"},
		{"date_format('2027-01-01', '%X-%V %x-%v %U %u')", "'2026-52 2026-53 00 00'"},
		{"date_format('2023-01-01', '%X-%V %x-%v %U %u')", "'2023-01 2022-52 01 00'"},
		{"date_format('2000-12-31', '%X-%V %x-%v %U %u')", "'2000-53 2000-52 53 52'"},
		{"timestamp('2026-01-02')", "'2026-01-02T00:00:00.000000Z'"},
		{"TIMESTAMP '2026-01-02 03:04:05.5'", "'2026-01-02T03:04:05.500000Z'"},
		{"timestamp(word)", "NULL"}, {"DATE '2026-01-02'", "'2026-01-02'"},
		{"timestamp(recorded_at) = recorded_at", "1"},
		// intervals go by the calendar; a day that a month does not have becomes its last
		{"TIMESTAMP '2026-01-31' + INTERVAL 1 MONTH", "'2026-02-28T00:00:00.000000Z'"},
		{"TIMESTAMP '2024-02-29' - INTERVAL 1 YEAR", "'2023-02-28T00:00:00.000000Z'"},
		{"recorded_at + INTERVAL '90' MINUTE", "'2026-01-02T04:34:05.123456Z'"},
		{"recorded_at - INTERVAL 1.5 HOUR", "'2026-01-02T01:34:05.123456Z'"},
		{"INTERVAL 1 DAY + recorded_at", "'2026-01-03T03:04:05.123456Z'"},
		{"recorded_at + INTERVAL n SECOND + INTERVAL 1 WEEK", "'2026-01-09T03:04:15.123456Z'"},
		{"'2026-01-01' + INTERVAL 1 QUARTER", "'2026-04-01T00:00:00.000000Z'"},
		{"nothing + INTERVAL 1 DAY", "NULL"}, {"recorded_at + INTERVAL nothing DAY", "NULL"},
		{"word + INTERVAL 1 DAY", "NULL"},
		{"recorded_at + INTERVAL 9000 YEAR", "NULL"},
		{"date_add(recorded_at, INTERVAL 1 DAY)", "'2026-01-03T03:04:05.123456Z'"},
		{"date_sub('2026-03-31', INTERVAL 1 MONTH)", "'2026-02-28T00:00:00.000000Z'"},
		{"recorded_at > now() - INTERVAL 1 YEAR", "1"},
		{"typeof(now())", "'text'"}, {"length(now())", "27"},
		{"recorded_at || ''", "'2026-01-02T03:04:05.123456Z'"},
		{"substr(recorded_at, 1, 10)", "'2026-01-02'"},
	})
	checkRefusals(t, []refusal{
		{"date_trunc('fortnight', recorded_at)", fault.BadArgument, "'fortnight'", "no such unit"},
		{"extract(fortnight FROM recorded_at)", fault.BadArgument, "fortnight", "no such unit"},
		{"date_part(word, recorded_at)", fault.BadArgument, "word", "must be a literal"},
		{"date_bin('1 month', recorded_at)", fault.BadArgument, "'1 month'", "without months"},
		{"date_bin('x', recorded_at)", fault.BadArgument, "'x'", "is no interval"},
		{"date_format(recorded_at, '%Y %Q')", fault.BadArgument, "date_format", "date_format knows no %Q"},
		{"date_format(recorded_at, '%é')", fault.BadArgument, "date_format", "knows no %é"},
		{"date_format(recorded_at, '%')", fault.BadArgument, "date_format", "knows no % at the end"},
		{"from_unixtime(n, '%z')", fault.BadArgument, "from_unixtime", "knows no %z"},
		{"datetime(recorded_at, 'localtime')", fault.BadArgument, "datetime", "all times are UTC"},
		{"unixepoch('now', '+1 day', 'LocalTime')", fault.BadArgument, "unixepoch", "all times are UTC"},
		{"strftime('%Y', '2026-01-01', 'localtime')", fault.BadArgument, "strftime", "all times are UTC"},
		{"timestamp('yesterday')", fault.BadValue, "'yesterday'", "is no time"},
		{"'yesterday' + INTERVAL 1 DAY", fault.BadValue, "'yesterday'", "is no time"},
		{"recorded_at + INTERVAL 'x' DAY", fault.BadArgument, "'x'", "is no interval"},
		{"recorded_at + INTERVAL word DAY", fault.BadArgument, "word", "is no interval"},
	})
}

// Deviation: a text that is compared with a time is parsed as one, on either side and in every kind
// of comparison.
func TestTimesAreComparedAsTimes(t *testing.T) {
	checkFacts(t, []fact{
		{"recorded_at > '2026-01-02'", "1"}, {"recorded_at < '2026-01-02 10:00'", "1"},
		{"'2026-01-02 10:00' > recorded_at", "1"}, {"recorded_at = '2026-01-02T03:04:05.123456Z'", "1"},
		{"recorded_at = '2026-01-02 04:04:05.123456+01:00'", "1"},
		{"recorded_at <> '2026-01-02 03:04:05'", "1"},
		{"recorded_at >= '2026-01-02T03:04:05.1234567Z'", "1"},
		{"recorded_at BETWEEN '2026-01-01' AND '2026-01-03'", "1"},
		{"recorded_at NOT BETWEEN '2026-01-01' AND '2026-01-02'", "1"},
		{"'2026-01-02 03:00' BETWEEN '2026-01-01' AND recorded_at", "1"},
		{"'2026-01-02 03:00' BETWEEN recorded_at AND '2026-01-03'", "0"},
		{"recorded_at IN ('2026-01-01', '2026-01-02 03:04:05.123456')", "1"},
		{"'2026-01-02 03:04:05.123456' IN (recorded_at)", "1"},
		{"recorded_at NOT IN ('2026-01-01')", "1"}, {"recorded_at IS '2026-01-02 03:04:05.123456'", "1"},
		{"CASE recorded_at WHEN '2026-01-02 03:04:05.123456' THEN 1 END", "1"},
		{"CASE '2026-01-02 03:04:05.123456' WHEN recorded_at THEN 1 END", "1"},
		{"recorded_at > date('2026-01-02')", "1"}, {"recorded_at > datetime('now', '-1 year')", "1"},
		{"date_trunc('day', recorded_at) = '2026-01-02'", "1"}, {"now() > '2026-01-01'", "1"},
		{"recorded_at = recorded_at", "1"}, {"recorded_at = NULL", "NULL"},
		{"recorded_at > date(NULL)", "NULL"},
		// what comes from a row and is no time is compared as a text
		{"recorded_at < word", "1"}, {"recorded_at > untyped", "1"}, {"recorded_at < raw", "1"},
		{"(recorded_at || '') = recorded_at", "1"},
	})
	checkRefusals(t, []refusal{
		{"recorded_at > 'yesterday'", fault.BadValue, "'yesterday'", `"yesterday" is no time`},
		{"'2026-02-30' <= recorded_at", fault.BadValue, "'2026-02-30'", "is no time"},
		{"recorded_at BETWEEN '2026-01-01' AND 'x'", fault.BadValue, "'x'", "is no time"},
		{"'x' BETWEEN recorded_at AND now()", fault.BadValue, "'x'", "is no time"},
		{"recorded_at IN ('2026-01-01', '01.02.2026')", fault.BadValue, "'01.02.2026'", "is no time"},
		{"'x' IN (recorded_at)", fault.BadValue, "'x'", "is no time"},
		{"recorded_at IS 'x'", fault.BadValue, "'x'", "is no time"},
		{"CASE recorded_at WHEN 'x' THEN 1 END", fault.BadValue, "'x'", "is no time"},
		{"recorded_at = '2026-01-02T25:00'", fault.BadValue, "'2026", "is no time"},
	})
}

// Parameters that are compared with times are looked at before the first row.
func TestTimesAsParameters(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 123456000, time.UTC)
	tests := []struct {
		text string
		args []driver.Value
		want string
	}{
		{"recorded_at = ?", []driver.Value{at}, "1"},
		{"recorded_at = ?", []driver.Value{"2026-01-02T03:04:05.123456Z"}, "1"},
		{"? < recorded_at", []driver.Value{"2026-01-02"}, "1"},
		{"recorded_at IN (?, ?)", []driver.Value{"2026-01-02", at}, "1"},
		{"recorded_at BETWEEN ? AND ?", []driver.Value{"2026-01-02", nil}, "NULL"},
		{"recorded_at > datetime(?, '-1 day')", []driver.Value{"2026-01-02"}, "1"},
	}
	for _, tt := range tests {
		v, err := runScalar(t, tt.text, tt.args...)
		require.NoError(t, err, tt.text)
		assert.Equal(t, tt.want, value.QuoteSQL(v), tt.text)
	}
	for _, text := range []string{"recorded_at = ?", "0 AND recorded_at > ?", "? BETWEEN recorded_at AND now()",
		"recorded_at IN (now(), ?)", "CASE recorded_at WHEN ? THEN 1 END"} {
		_, b, err := compileScalar(text)
		require.NoError(t, err, text)
		e := scalarEnv("soon")
		var failed *fault.Error
		for _, check := range b.checks {
			if err := check(e); err != nil {
				require.ErrorAs(t, err, &failed)
			}
		}
		require.NotNil(t, failed, text)
		assert.Equal(t, fault.BadValue, failed.Kind)
		assert.Contains(t, failed.Error(), `"soon" is no time`)
		pos := int(failed.Pos) - len("SELECT ")
		assert.Equal(t, byte('?'), text[pos], text)
	}
}

// A unit that the parser lets through is known here or refused with its place.
func TestUnknownUnitOfInterval(t *testing.T) {
	iv := &parser.Interval{Pos: 3, X: &parser.Literal{Value: int64(1)}, Unit: "fortnight"}
	_, err := Compile(&parser.Nary{Op: parser.OpAdd, Terms: []parser.Expr{&parser.Call{Name: "now"}, iv}}, &scalarBinder{})
	var e *fault.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, parser.Pos(3), e.Pos)
	assert.Equal(t, fault.BadArgument, e.Kind)
}
