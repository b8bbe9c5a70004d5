package value

import (
	"errors"
	"math/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseTime(t *testing.T) {
	good := map[string]string{
		"2026-01-02": "2026-01-02T00:00:00Z", "2026-01-02 03:04": "2026-01-02T03:04:00Z",
		"2026-01-02T03:04:05": "2026-01-02T03:04:05Z", "2026-01-02 03:04:05.5": "2026-01-02T03:04:05.5Z",
		"2026-01-02T03:04:05.123456789Z": "2026-01-02T03:04:05.123456Z",
		"2026-01-02t03:04:05z":           "2026-01-02T03:04:05Z",
		"2026-01-02 03:04:05+01:30":      "2026-01-02T01:34:05Z",
		"2026-01-02 03:04 -05:00":        "2026-01-02T08:04:00Z",
		"2026-01-02Z":                    "2026-01-02T00:00:00Z", "0000-01-01": "0000-01-01T00:00:00Z",
		"9999-12-31 23:59:59.999999": "9999-12-31T23:59:59.999999Z", "2024-02-29": "2024-02-29T00:00:00Z",
		"2000-02-29": "2000-02-29T00:00:00Z",
	}
	for s, want := range good {
		micros, ok := ParseTime(s)
		if assert.True(t, ok, s) {
			assert.Equal(t, want, time.UnixMicro(micros).UTC().Format(time.RFC3339Nano), s)
		}
	}
	for _, s := range []string{"", "2026", "2026-01", "2026-1-2", "2026-13-01", "2026-00-01", "2026-02-30", "2023-02-29", "1900-02-29", "2026-01-02T", "2026-01-02 3:04", "2026-01-02 24:00", "2026-01-02 03:60", "2026-01-02 03:04:60", "2026-01-02 03:04:05.", "2026-01-02 03:04:05+0130", "2026-01-02 03:04:05+01", "2026-01-02 03:04:05 UTC", "2026-01-02x", "20260102", " 2026-01-02", "9999-12-31 23:59-00:01", "0000-01-01 00:00+00:01", "now"} {
		_, ok := ParseTime(s)
		assert.False(t, ok, s)
	}
}

// The calendar agrees with package time's, for all the years that have four digits.
func TestCalendar(t *testing.T) {
	r := rand.New(rand.NewSource(6))
	for i := range 30000 {
		micros := minTime + r.Int63n(maxTime-minTime+1)
		if i < 4 {
			micros = []int64{minTime, maxTime, 0, -1}[i]
		}
		at := time.UnixMicro(micros).UTC()
		c := civilOf(micros)
		require.Equal(t,
			civil{at.Year(), int(at.Month()), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond() / 1000}, c)
		require.Equal(t, micros, c.unixMicros())
		s := FormatTime(micros)
		require.Equal(t, at.Format("2006-01-02T15:04:05.000000Z"), s)
		back, ok := canonicalTime(s, Binary)
		require.True(t, ok, s)
		require.Equal(t, micros, back)
		m := Moment{ms: FloorDiv(micros, 1000), hasMs: true}
		m.needFields()
		year, week := at.ISOWeek()
		gotYear, gotWeek := m.isoWeek()
		require.Equal(t, []int{year, week, at.YearDay(), int(at.Weekday())},
			[]int{gotYear, gotWeek, m.dayOfYear() + 1, m.weekday()})
	}
}

func TestIntervals(t *testing.T) {
	for s, want := range map[string]Interval{
		"1 day": {0, day}, "15 minutes": {0, 15 * minute}, "1 day 2 hours": {0, day + 2*hour},
		"-1 month": {-1, 0}, "1.5 hours": {0, 90 * minute}, "2 quarters": {6, 0}, "1 century": {1200, 0},
		"0.5 year": {6, 0}, " 3  Weeks ": {0, 21 * day},
	} {
		got, ok := ParseInterval(s)
		assert.True(t, ok, s)
		assert.Equal(t, want, got, s)
	}
	for _, s := range []string{"", "1", "day", "1 fortnight", "x day", "1 day 2", "99999999999999999999 years",
		"1e300 seconds"} {
		_, ok := ParseInterval(s)
		assert.False(t, ok, s)
	}
}

func FuzzTimes(f *testing.F) {
	f.Add("2026-01-02 03:04:05.5+01:00", "+1 month")
	f.Add("24:00", "weekday 3")
	f.Add("1700000000", "auto")
	f.Add("2026-03-29 01:30", "Europe/Berlin")
	f.Add("1 day 02:30", "+05:30")
	f.Fuzz(func(t *testing.T, s, modifier string) {
		if micros, ok := ParseTime(s); ok {
			back, ok := ParseTime(FormatTime(micros))
			require.True(t, ok)
			require.Equal(t, micros, back)
		}
		m := new(Meter)
		now := time.Date(2026, 11, 25, 12, 0, 0, 654321000, time.UTC)
		v, w := OfText(s), OfText(modifier)
		for _, args := range [][]Value{{v}, {v, w}, {v, w, w}} {
			at, ok, err := MomentOf(now, args)
			var noZone *NoZoneError
			if err != nil && !errors.As(err, &noZone) {
				require.ErrorIs(t, err, ErrLocalTime)
			}
			if !ok {
				continue
			}
			for _, of := range []func(*Moment) Value{(*Moment).Date, (*Moment).Clock, (*Moment).DateAndClock,
				(*Moment).JulianDay, (*Moment).UnixEpoch} {
				one := at
				of(&one)
			}
			at.Format(m, "%Y-%m-%d %H:%M:%f %j %W %V %G %s %J")
		}
		if iv, ok := ParseInterval(s); ok {
			back, ok := ParseInterval(iv.String())
			require.True(t, ok)
			require.Equal(t, iv, back)
		}
		z, ok := ZoneOf(modifier)
		if micros, isTime := ParseTime(s); ok && isTime {
			require.LessOrEqual(t, z.Floor(micros, false, func(wall int64) int64 { return FloorDiv(wall, day) * day }), micros)
			require.GreaterOrEqual(t, z.Instant(z.Wall(micros)), micros)
		}
	})
}
