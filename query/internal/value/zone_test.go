package value

import (
	"archive/zip"
	"go/build"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// testZones are zones with every kind of transition: by an hour at night and at midnight, by half an
// hour, by twenty minutes, by a whole day, and at a minute past midnight.
var testZones = []string{
	"Europe/Berlin", "America/New_York", "America/Sao_Paulo", "America/Havana", "Asia/Beirut",
	"Australia/Lord_Howe", "Africa/Casablanca", "America/St_Johns", "Pacific/Apia", "Asia/Kathmandu",
	"Africa/Cairo", "America/Asuncion", "Asia/Tehran", "Antarctica/Troll", "UTC", "+05:45", "Asia/Manila",
}

// transitions are the instants at which the clocks of a zone are set between two years, in
// microseconds.
func transitions(t *testing.T, z *Zone, from, to int) (list []int64) {
	t.Helper()
	at := time.Date(from, 1, 1, 0, 0, 0, 0, time.UTC)
	for at.Year() < to {
		_, end := at.In(z.loc).ZoneBounds()
		if end.IsZero() {
			break
		}
		list, at = append(list, end.UnixMicro()), end.UTC()
	}
	return list
}

// near are instants around the transitions of a zone, and some at random.
func near(t *testing.T, z *Zone) []int64 {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	var list []int64
	for _, at := range transitions(t, z, 1975, 2030) {
		for _, off := range []int64{-25 * hour, -90 * minute, -hour, -1, 0, 1, 10 * minute, hour, 100 * minute, 25 * hour} {
			list = append(list, at+off)
		}
		list = append(list, at+r.Int64N(48*hour)-24*hour)
	}
	for range 100 {
		list = append(list, r.Int64N(4e15)-2e15)
	}
	return list
}

// label is what the clocks of a zone show at an instant, cut off to a unit, by package time alone.
func label(z *Zone, micros int64, unit string) time.Time {
	t := time.UnixMicro(micros).In(z.loc)
	y, m, d := t.Date()
	switch unit {
	case "hour":
		return time.Date(y, m, d, t.Hour(), 0, 0, 0, time.UTC)
	case "day":
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	case "week":
		return time.Date(y, m, d-(int(t.Weekday())+6)%7, 0, 0, 0, 0, time.UTC)
	}
	return time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
}

// TestWhatBeginsInAZoneIsItsFirstInstant: the beginning of an hour, a day, a week or a month is an
// instant at which the clocks show that unit, not after the time itself, and the clocks show another
// one the microsecond before.
func TestWhatBeginsInAZoneIsItsFirstInstant(t *testing.T) {
	for _, name := range testZones {
		z, ok := ZoneOf(name)
		require.True(t, ok, name)
		for _, unitName := range []string{"hour", "day", "week", "month"} {
			unit, _ := UnitOf(unitName)
			for _, at := range near(t, z) {
				begin := z.Floor(at, unit.Short(), unit.Floor)
				want := label(z, at, unitName)
				shown := time.UnixMicro(at).In(z.loc)
				if !assert.LessOrEqual(t, begin, at, "%s of %s", unitName, shown) ||
					!assert.Equal(t, want, label(z, begin, unitName), "%s of %s is %s", unitName, shown,
						time.UnixMicro(begin).In(z.loc)) ||
					!assert.Equal(t, begin, z.Floor(begin, unit.Short(), unit.Floor), "%s of %s", unitName, shown) {
					return
				}
				if unit.Short() { // an hour that comes twice is two
					continue
				}
				if !assert.NotEqual(t, want, label(z, begin-1, unitName), "%s of %s begins before %s", unitName, shown,
					time.UnixMicro(begin).In(z.loc)) {
					return
				}
			}
		}
	}
}

// TestAWallClockIsShownAtItsInstant: what a zone's clocks show at an instant leads back to it, or, of
// two instants at which they show the same, to the later.
func TestAWallClockIsShownAtItsInstant(t *testing.T) {
	for _, name := range testZones {
		z, _ := ZoneOf(name)
		for _, at := range near(t, z) {
			wall := z.Wall(at)
			shown := time.UnixMicro(at).In(z.loc)
			_, seconds := shown.Zone()
			require.Equal(t, at+int64(seconds)*Second, wall, "%s", shown)
			back := z.Instant(wall)
			require.GreaterOrEqual(t, back, at, "%s", shown)
			require.Equal(t, wall, z.Wall(back), "%s", shown)
		}
	}
}

// everyZone are the names of all zones that Go knows; none where its archive of them is not there.
func everyZone() (names []string) {
	archive, err := zip.OpenReader(filepath.Join(build.Default.GOROOT, "lib", "time", "zoneinfo.zip"))
	if err != nil {
		return nil
	}
	defer archive.Close()
	for _, f := range archive.File {
		if !f.FileInfo().IsDir() {
			names = append(names, f.Name)
		}
	}
	return names
}

// TestDaysOfEveryZoneBeginWhereGoSeesThemBegin tries all zones around the transitions of our time.
func TestDaysOfEveryZoneBeginWhereGoSeesThemBegin(t *testing.T) {
	names := everyZone()
	if len(names) == 0 {
		t.Skip("this Go has no lib/time/zoneinfo.zip")
	}
	unit, _ := UnitOf("day")
	for _, name := range names {
		z, ok := ZoneOf(name)
		require.True(t, ok, name)
		for _, at := range transitions(t, z, 2015, 2027) {
			for _, at := range []int64{at - 1, at, at + hour} {
				begin := z.Floor(at, false, unit.Floor)
				shown := time.UnixMicro(at).In(z.loc)
				require.LessOrEqual(t, begin, at, "%s", shown)
				require.Equal(t, label(z, at, "day"), label(z, begin, "day"), "%s", shown)
				require.NotEqual(t, label(z, at, "day"), label(z, begin-1, "day"), "%s", shown)
			}
		}
	}
}

func TestAWallClockThatIsLeftOutIsCountedOnFromBefore(t *testing.T) {
	z, _ := ZoneOf("Europe/Berlin")
	wall, _ := ParseTime("2026-03-29 02:30")
	assert.Equal(t, "2026-03-29T01:30:00.000000Z", FormatTime(z.Instant(wall))) // 03:30 on the clocks
	wall, _ = ParseTime("2026-10-25 02:30")
	assert.Equal(t, "2026-10-25T01:30:00.000000Z", FormatTime(z.Instant(wall))) // the second half past two
}

func TestZonesThatThereAreNot(t *testing.T) {
	for _, name := range []string{"", "Local", "local", "Mars/Olympus", "../etc/passwd", "/etc/localtime", "Europe//Berlin",
		"Europe/", "+25:00", "+2", "12:00", "Europe/Berlin\x00", "zone.tab", "."} {
		_, ok := ZoneOf(name)
		assert.False(t, ok, name)
	}
	for _, name := range []string{"UTC", "Etc/GMT+5", "America/Argentina/Buenos_Aires", "+02:00", "-11:30"} {
		_, ok := ZoneOf(name)
		assert.True(t, ok, name)
	}
}

func TestIntervalsAreReadAsTheyAreWritten(t *testing.T) {
	for text, want := range map[string]string{
		"1 day":                    "1 day",
		"90 minutes":               "1 hour 30 minutes",
		"1 year 14 months":         "2 years 2 months",
		"1 day 02:30:00":           "1 day 2 hours 30 minutes",
		"-00:30":                   "-30 minutes",
		"0.5 seconds":              "500000 microseconds",
		"0 days":                   "0 seconds",
		"-1 month 1 day":           "-1 months 1 day",
		"2 weeks 3 days 1.5 hours": "17 days 1 hour 30 minutes",
	} {
		iv, ok := ParseInterval(text)
		require.True(t, ok, text)
		assert.Equal(t, want, iv.String(), text)
		again, ok := ParseInterval(iv.String())
		assert.True(t, ok, text)
		assert.Equal(t, iv, again, text)
	}
	for _, text := range []string{"", "day", "1", "1 day 2", "1 fortnight", "1 day 25:00", "9e999 days", "2000000 months"} {
		_, ok := ParseInterval(text)
		assert.False(t, ok, text)
	}
}
