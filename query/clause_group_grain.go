package query

import (
	"strings"
	"time"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/value"
)

// The grains within which a function of a time is the same for all times: those of a day, say.
const (
	minuteGrain = 60 * value.Second
	hourGrain   = 60 * minuteGrain
	dayGrain    = 24 * hourGrain
)

var grainNames = map[int64]string{minuteGrain: "minute", hourGrain: "hour", dayGrain: "day"}

// timeGrains are functions of one time.
var timeGrains = map[string]int64{
	"date": dayGrain, "year": dayGrain, "quarter": dayGrain, "month": dayGrain, "week": dayGrain,
	"day": dayGrain, "dayname": dayGrain, "monthname": dayGrain, "hour": hourGrain, "minute": minuteGrain,
}

// unitGrains are units that date_trunc and date_part take. A week and a year begin with a day, too.
var unitGrains = map[string]int64{
	"century": dayGrain, "decade": dayGrain, "year": dayGrain, "quarter": dayGrain, "month": dayGrain,
	"week": dayGrain, "day": dayGrain, "dow": dayGrain, "isodow": dayGrain, "doy": dayGrain,
	"hour": hourGrain, "minute": minuteGrain,
}

// formatGrains are the letters of formats, behind %, that mean the same to strftime and date_format.
var formatGrains = map[byte]int64{
	'Y': dayGrain, 'm': dayGrain, 'd': dayGrain, 'e': dayGrain, 'j': dayGrain, 'w': dayGrain, 'u': dayGrain,
	'V': dayGrain, 'H': hourGrain, 'I': hourGrain, 'k': hourGrain, 'l': hourGrain, 'p': hourGrain,
}

// grainOf returns the grain of a function of recorded_at and of literals, 0 for everything else.
func (c *coreScope) grainOf(call *parser.Call) int64 {
	if call.Star || call.Distinct || call.Over != nil || call.Filter != nil || len(call.OrderBy) > 0 {
		return 0
	}
	isTime := func(e parser.Expr) bool {
		return c.leafColumn(leaf{src: &c.sources[0]}, e) == ordRecordedAt
	}
	switch {
	case len(call.Args) == 1 && isTime(call.Args[0]):
		return timeGrains[call.Name]
	case len(call.Args) != 2:
		return 0
	}
	literal, other := call.Args[0], call.Args[1]
	if call.Name == "date_format" {
		literal, other = other, literal
	}
	text, ok := literal.(*parser.Literal)
	if !ok || !isTime(other) {
		return 0
	}
	s, ok := text.Value.(string)
	switch {
	case !ok:
	case call.Name == "date_trunc" || call.Name == "date_part" || call.Name == "extract":
		return unitGrains[strings.ToLower(s)]
	case call.Name == "strftime":
		return formatGrain(s, map[byte]int64{'M': minuteGrain, 'F': dayGrain, 'R': minuteGrain})
	case call.Name == "date_format":
		return formatGrain(s, map[byte]int64{'i': minuteGrain})
	}
	return 0
}

// formatGrain is the grain of the finest thing in a format, 0 if one of them is not known to have any.
// more are the letters of one function alone.
func formatGrain(format string, more map[byte]int64) int64 {
	least := int64(dayGrain)
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		if i++; i == len(format) {
			return 0
		}
		grain := max(formatGrains[format[i]], more[format[i]])
		if format[i] == '%' {
			grain = dayGrain
		}
		if grain == 0 {
			return 0
		}
		least = min(least, grain)
	}
	return least
}

func timeOf(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
