package retain

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// An Age is a time that an event may have. Months and days are those of the calendar: a month
// before 31 March is the last day of February.
type Age struct {
	Months, Days int
	Rest         time.Duration
}

// maxYears bounds each part of an age.
const maxYears = 100

var errAge = fmt.Errorf("is no age: write 720h, 90d or P1Y6M, up to %d years", maxYears)

// ParseAge reads an age: a duration of Go such as 720h, a number of days such as 90d, or a duration
// of ISO 8601 such as P1Y6M, P2W or P1DT12H, in whole numbers.
func ParseAge(text string) (Age, error) {
	var a Age
	switch {
	case strings.HasPrefix(text, "P"):
		if !a.readISO(text[1:]) {
			return Age{}, errAge
		}
	case strings.HasSuffix(text, "d"):
		n, ok := count(text[:len(text)-1])
		if !ok {
			return Age{}, errAge
		}
		a.Days = n
	default:
		d, err := time.ParseDuration(text)
		if err != nil {
			return Age{}, errAge
		}
		a.Rest = d
	}
	const days = 366 * maxYears
	if a.Rest < 0 || a == (Age{}) || a.Months > 12*maxYears || a.Days > days || a.Rest > days*24*time.Hour {
		return Age{}, errAge
	}
	return a, nil
}

// isoUnits are the units of ISO 8601 in the order in which they stand.
var isoUnits = []struct {
	letter byte
	time   bool // it stands behind the T
	add    func(a *Age, n int)
}{
	{'Y', false, func(a *Age, n int) { a.Months += 12 * n }},
	{'M', false, func(a *Age, n int) { a.Months += n }},
	{'W', false, func(a *Age, n int) { a.Days += 7 * n }},
	{'D', false, func(a *Age, n int) { a.Days += n }},
	{'H', true, func(a *Age, n int) { a.Rest += time.Duration(n) * time.Hour }},
	{'M', true, func(a *Age, n int) { a.Rest += time.Duration(n) * time.Minute }},
	{'S', true, func(a *Age, n int) { a.Rest += time.Duration(n) * time.Second }},
}

// readISO reads what stands behind the P.
func (a *Age) readISO(text string) bool {
	behindT, next := false, 0
	for text != "" {
		if text[0] == 'T' {
			if behindT || len(text) == 1 {
				return false
			}
			behindT, text = true, text[1:]
			continue
		}
		end := strings.IndexAny(text, "YMWDHST")
		if end < 0 {
			return false
		}
		n, ok := count(text[:end])
		for next < len(isoUnits) && (isoUnits[next].letter != text[end] || isoUnits[next].time != behindT) {
			next++
		}
		if !ok || next == len(isoUnits) {
			return false
		}
		isoUnits[next].add(a, n)
		next, text = next+1, text[end+1:]
	}
	return true
}

// count reads a number that is no longer than any age.
func count(text string) (int, bool) {
	n, err := strconv.ParseUint(text, 10, 32)
	return int(n), err == nil && n <= 1_000_000
}
