package expr

import (
	"database/sql/driver"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/eventfold/eventfold/query/internal/fault"
)

func TestTimeMinusTimeIsSeconds(t *testing.T) {
	checkFacts(t, []fact{
		{"TIMESTAMP '2026-03-04' - TIMESTAMP '2025-01-04'", "36633600.0"},
		{"TIMESTAMP '2025-01-04' - TIMESTAMP '2026-03-04'", "-36633600.0"},
		{"recorded_at - TIMESTAMP '2026-01-02 03:04:05'", "0.123456"},
		{"recorded_at - recorded_at", "0.0"}, {"typeof(now() - recorded_at)", "'real'"},
		{"recorded_at - (recorded_at - INTERVAL 1 DAY)", "86400.0"},
		{"(recorded_at + INTERVAL 90 SECOND - recorded_at) / 60", "1.5"}, {"now() - now()", "0.0"},
		{"date_trunc('hour', recorded_at) - date_trunc('day', recorded_at)", "10800.0"},
		{"CAST('2026-01-02' AS TIMESTAMP) - from_unixtime(0)", "1767312000.0"},
		// a text beside a time is read as one
		{"recorded_at - '2026-01-02'", "11045.123456"}, {"'2026-01-03' - recorded_at", "75354.876544"},
		{"recorded_at - date(recorded_at)", "11045.123456"}, {"recorded_at - word", "NULL"},
		{"recorded_at - untyped", "NULL"},
		{"recorded_at - NULL", "NULL"}, {"NULL - recorded_at", "NULL"},
		// what a value is does not depend on where it has come through
		{"CASE WHEN n = 10 THEN recorded_at END - CASE WHEN n = 10 THEN TIMESTAMP '2026-01-02 03:04:05' ELSE 5 END",
			"0.123456"},
		{"coalesce(nothing, recorded_at) - coalesce(recorded_at, 'x')", "0.0"},
		{"iif(n = 10, recorded_at, 1) - iif(n = 10, '2026-01-02', 1)", "11045.123456"},
		{"max(recorded_at, '2020-01-01') - min(recorded_at, '2026-01-02')", "11045.123456"},
		{"nullif(recorded_at, '2026-01-02') - recorded_at", "0.0"},
		{"ifnull(recorded_at, 0) > '2026-01-02 01:00'", "1"},
		{"ifnull(recorded_at, 0) = '2026-01-02 04:04:05.123456+01:00'", "1"},
		{"ifnull(recorded_at, 0) BETWEEN '2026-01-02 01:00' AND now()", "1"},
		{"ifnull(recorded_at, 0) IS '2026-01-02 03:04:05.123456'", "1"},
		{"CASE ifnull(recorded_at, 0) WHEN '2026-01-02 03:04:05.123456' THEN 1 END", "1"},
		{"max(recorded_at, '2026-01-02 23:00')", "'2026-01-02T23:00:00.000000Z'"},
		{"min('2026-01-02 01:00', recorded_at)", "'2026-01-02T01:00:00.000000Z'"},
		{"nullif(recorded_at, '2026-01-02 04:04:05.123456+01:00')", "NULL"},
		{"nullif('2026-01-02 04:04:05.123456+01:00', recorded_at)", "NULL"},
		// texts without a time beside them are SQLite's
		{"'2026-03-04' - '2025-01-04'", "1"}, {"date('2026-03-04') - date('2025-01-04')", "1"},
	})
}

func TestTimesAreNotNumbers(t *testing.T) {
	const message = "a time is not a number"
	var list []refusal
	for text, at := range map[string]string{
		"recorded_at + 1": "", "1 + recorded_at": "", "recorded_at - 1": "", "1 - recorded_at": "",
		"recorded_at * 2": "", "recorded_at / 2": "", "recorded_at % 2": "", "recorded_at DIV 2": "",
		"-recorded_at":              "",
		"recorded_at + recorded_at": "", "recorded_at + '1 day'": "",
		"1 + 2 + recorded_at": "recorded_at", "recorded_at >= current_timestamp - 3600": "",
		"recorded_at - n": "", "recorded_at - nothing": "", "recorded_at - 2.5": "",
		"abs(recorded_at)": "recorded_at", "round(recorded_at, 1)": "recorded_at", "sqrt(now())": "now",
		"mod(5, recorded_at)": "recorded_at", "log(2, recorded_at)": "recorded_at",
		"CAST(recorded_at AS INTEGER)": "recorded_at", "CAST(recorded_at AS REAL)": "recorded_at",
		"CAST(now() AS NUMERIC)": "now",
		// where only the value tells
		"ifnull(recorded_at, 0) + 1": "", "1 + ifnull(recorded_at, 0) + 2": "",
		"ifnull(recorded_at, 0) - 1": "", "ifnull(recorded_at, 0) * 2": "", "-ifnull(recorded_at, 0)": "",
		"recorded_at - iif(n = 10, 1, '2026-01-01')": "",
		"abs(ifnull(recorded_at, 0))":                "ifnull", "CAST(ifnull(recorded_at, 0) AS INTEGER)": "ifnull",
		"recorded_at - payload ->> 'a'": "",
	} {
		list = append(list, refusal{text, fault.BadValue, at, message})
	}
	checkRefusals(t, list)
	_, err := runScalar(t, "recorded_at + 1")
	assert.ErrorContains(t, err, "write x + INTERVAL n unit for a later time, unixepoch(x) for its number")
	for _, tt := range []struct {
		text string
		arg  driver.Value
	}{{"recorded_at - ?", int64(3600)}, {"recorded_at - ?", 1.5}, {"? - recorded_at", int64(1)}, {"? + 1",
		time.Now()}, {"abs(?)", time.Now()}} {
		_, err := runScalar(t, tt.text, tt.arg)
		assert.ErrorContains(t, err, message, tt.text)
	}
}

func TestTimesAreNotComparedWithNumbers(t *testing.T) {
	const message = "a time cannot be compared with a number"
	var list []refusal
	for text, at := range map[string]string{
		"recorded_at > 5": "5", "5 < recorded_at": "5", "recorded_at = 1767323045": "1767323045",
		"recorded_at > 1.5e9": "1.5e9", "recorded_at <> n": "n", "recorded_at IS 5": "5",
		"recorded_at IS NOT 5":                   "5",
		"recorded_at BETWEEN 5 AND '2026-01-01'": "5", "recorded_at BETWEEN '2026-01-01' AND 5": "5",
		"5 BETWEEN recorded_at AND now()": "5", "recorded_at IN ('2026-01-01', 5)": "5",
		"5 IN (1, recorded_at)": "5", "recorded_at NOT IN (5)": "5",
		"recorded_at > unixepoch('now')":        "unixepoch",
		"recorded_at > julianday('2026-01-01')": "julianday", "CASE recorded_at WHEN 5 THEN 1 END": "5",
		"CASE 5 WHEN recorded_at THEN 1 END": "5", "max(recorded_at, 5)": "5",
		"min(5, recorded_at, 'x')": "5", "nullif(recorded_at, 5)": "5",
		// where only the value tells
		"recorded_at > payload ->> 'a'": "->>", "payload ->> 'a' < recorded_at": "",
		"ifnull(recorded_at, 0) > 5": "5", "5 > ifnull(recorded_at, 0)": "",
		"ifnull(recorded_at, 0) = payload ->> 'a'": "->>", "ifnull(recorded_at, 0) IN (1, 2)": "ifnull",
		"ifnull(recorded_at, 0) BETWEEN 1 AND 2": "1", "ifnull(recorded_at, 0) IS 5": "ifnull",
		"recorded_at BETWEEN payload ->> 'a' AND now()": "->>",
		"max(recorded_at, payload ->> 'a')":             "->>",
	} {
		list = append(list, refusal{text, fault.BadValue, at, message})
	}
	for i := range list {
		if list[i].text == "ifnull(recorded_at, 0) IN (1, 2)" || list[i].text == "ifnull(recorded_at, 0) IS 5" {
			list[i].at = ""
		}
	}
	checkRefusals(t, list)
	_, err := runScalar(t, "recorded_at > 5")
	assert.ErrorContains(t, err, "write from_unixtime(n) for the time n seconds after 1970")
	for _, tt := range []struct {
		text string
		args []driver.Value
	}{
		{"recorded_at > ?", []driver.Value{time.Now().Add(48 * time.Hour).Unix()}},
		{"? > recorded_at", []driver.Value{1.5}},
		{"recorded_at IN (?, ?)", []driver.Value{"2026-01-01", int64(5)}},
		{"recorded_at BETWEEN ? AND ?", []driver.Value{int64(1), int64(2)}},
		{"recorded_at = ? + 1", []driver.Value{int64(1)}}, {"recorded_at = ?", []driver.Value{true}},
		{"? = ?", []driver.Value{time.Now(), int64(5)}},
	} {
		_, err := runScalar(t, tt.text, tt.args...)
		assert.ErrorContains(t, err, message, tt.text)
	}
	_, err = runScalar(t, "recorded_at > ?", []byte("2026-01-01"))
	assert.ErrorContains(t, err, "is no time", "a blob is no text")
}
