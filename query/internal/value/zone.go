package value

import (
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // zones on machines without a table of their own
)

// A Zone is a time zone. A wall clock is a time, too, here: the one at which UTC shows what the
// clocks of the zone show.
type Zone struct{ loc *time.Location }

// zoneReach is more than any zone is or was ahead of UTC or behind it.
const zoneReach = 26 * hour

const (
	maxZoneName = 64
	maxZones    = 2000 // zones that are remembered; there are about 600
)

// zones are those that were asked for, by their names.
var zones = struct {
	mu    sync.Mutex // protects named
	named map[string]*Zone
}{named: map[string]*Zone{}}

// ZoneOf returns the zone with a name of the IANA database, such as Europe/Berlin, or an offset such
// as +02:00, which is ahead of UTC. ok is false if there is none. There is no local zone.
func ZoneOf(name string) (z *Zone, ok bool) {
	zones.mu.Lock()
	z = zones.named[name]
	zones.mu.Unlock()
	if z != nil {
		return z, true
	}
	name = strings.Clone(name) // the row's memory may be used again
	if z, ok = loadZone(name); !ok {
		return nil, false
	}
	zones.mu.Lock()
	if len(zones.named) < maxZones {
		zones.named[name] = z
	}
	zones.mu.Unlock()
	return z, true
}

func loadZone(name string) (*Zone, bool) {
	if name != "" && (name[0] == '+' || name[0] == '-') {
		micros, ok := parseZone(name)
		return &Zone{time.FixedZone(name, int(micros/Second))}, ok
	}
	if !isZoneName(name) {
		return nil, false
	}
	loc, err := time.LoadLocation(name)
	return &Zone{loc}, err == nil
}

// isZoneName reports whether a text may be the name of a zone: what is looked for on the disk has no
// other characters than such names have.
func isZoneName(name string) bool {
	if name == "" || len(name) > maxZoneName || name == "Local" || name[0] == '/' ||
		name[len(name)-1] == '/' || strings.Contains(name, "//") {
		return false
	}
	for i := range len(name) {
		c := name[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && !IsDigit(c) && strings.IndexByte("_-+/", c) < 0 {
			return false
		}
	}
	return true
}

// Wall returns what the clocks of the zone show at an instant.
func (z *Zone) Wall(micros int64) int64 { return micros + z.offset(micros) }

// offset is how far the zone is ahead of UTC at an instant.
func (z *Zone) offset(micros int64) int64 {
	_, seconds := time.UnixMicro(micros).In(z.loc).Zone()
	return int64(seconds) * Second
}

// A zoneSpan is a stretch of time in which a zone is equally far ahead of UTC.
type zoneSpan struct{ from, to, offset int64 }

// Before and after everything.
const (
	everBefore = minTime - 1000*day
	everAfter  = maxTime + 1000*day
)

// span returns the stretch that an instant lies in.
func (z *Zone) span(micros int64) zoneSpan {
	t := time.UnixMicro(micros).In(z.loc)
	start, end := t.ZoneBounds()
	s := zoneSpan{everBefore, everAfter, z.offset(micros)}
	if !start.IsZero() {
		s.from = max(s.from, start.UnixMicro())
	}
	if !end.IsZero() {
		s.to = min(s.to, end.UnixMicro())
	}
	return s
}

// eachSpan calls f for the stretches in which the clocks may show wall, in their order. skipped tells
// that the clocks were set forward over wall when the stretch began; before is the one before it.
func (z *Zone) eachSpan(wall int64, f func(s, before zoneSpan, skipped bool)) {
	before := zoneSpan{to: everBefore}
	for at := wall - zoneReach; at <= wall+zoneReach; at = before.to {
		s := z.span(at)
		f(s, before, before.to > everBefore && before.to+before.offset <= wall && wall < s.from+s.offset)
		if before = s; s.to <= at {
			return
		}
	}
}

// Instant returns the instant at which the clocks show wall. Of two, it is the later; a wall clock
// that is left out is counted on from before the gap. Both are what PostgreSQL does.
func (z *Zone) Instant(wall int64) int64 {
	found, shown := wall, false
	z.eachSpan(wall, func(s, before zoneSpan, skipped bool) {
		switch at := wall - s.offset; {
		case at >= s.from && at < s.to:
			found, shown = at, true
		case skipped && !shown:
			found = wall - before.offset
		}
	})
	return found
}

// Begin returns the instant at which what begins at wall begins: when the clocks show it, or, where
// they leave it out, when they go on behind it. Of two it is the earlier, or, for something short,
// the later one that is not after x.
func (z *Zone) Begin(wall, x int64, short bool) int64 {
	begin, found := wall, false
	z.eachSpan(wall, func(s, _ zoneSpan, skipped bool) {
		at := wall - s.offset
		if skipped {
			at = s.from
		}
		if at >= s.from && at < s.to && (!found || short && at <= x) {
			begin, found = at, true
		}
	})
	return begin
}

// Floor returns the beginning of what an instant lies in by the clocks of the zone; floor finds it
// on the wall. Of something as long as a day there is one for each day, even if a part of it comes
// twice; of something short there are two then.
func (z *Zone) Floor(micros int64, short bool, floor func(wall int64) int64) int64 {
	return z.Begin(floor(z.Wall(micros)), micros, short)
}
