package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/eventfold/eventfold"
)

// textOf renders a value that a query has given, as it is: see safe for those of others.
func textOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case string:
		return v
	case []byte:
		if utf8.Valid(v) {
			return string(v)
		}
		return "x'" + hex.EncodeToString(v) + "'"
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return realText(v)
	case time.Time:
		return timeText(v)
	case *eventfold.Event, eventfold.Event:
		return string(appendJSON(nil, v))
	}
	return fmt.Sprint(v)
}

// realText always has a point or an exponent, so that a real number is told from an integer.
func realText(f float64) string {
	form := byte('g')
	if abs := math.Abs(f); abs == 0 || abs >= 1e-5 && abs < 1e15 {
		form = 'f'
	}
	s := strconv.FormatFloat(f, form, -1, 64)
	if !strings.ContainsAny(s, ".eIN") {
		s += ".0"
	}
	return s
}

// timeText is a time in UTC as SQL reads it: with microseconds or, if it has none, with seconds.
func timeText(t time.Time) string {
	layout := "2006-01-02T15:04:05.000000Z"
	if t.Nanosecond() == 0 {
		layout = "2006-01-02T15:04:05Z"
	}
	return t.UTC().Format(layout)
}

// appendJSON appends a value as JSON on one line. Payloads that are JSON are part of it, bytes that
// are not text are {"base64": "..."}. No character in it does anything to a terminal.
func appendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return appendJSONText(b, realText(v))
		}
		return append(b, realText(v)...)
	case bool:
		return strconv.AppendBool(b, v)
	case time.Time:
		return appendJSONText(b, timeText(v))
	case string:
		return appendJSONText(b, v)
	case []byte:
		return appendJSONBytes(b, v)
	case eventfold.Event:
		return appendJSONEvent(b, &v)
	case *eventfold.Event:
		return appendJSONEvent(b, v)
	}
	return appendJSONText(b, fmt.Sprint(v))
}

// appendJSONBytes appends what may be JSON itself.
func appendJSONBytes(b, v []byte) []byte {
	if json.Valid(v) {
		return appendHarmless(b, v)
	}
	if utf8.Valid(v) {
		return appendJSONText(b, string(v))
	}
	raw, _ := json.Marshal(struct { // cannot fail
		Base64 []byte `json:"base64"`
	}{v})
	return append(b, raw...)
}

// appendJSONText appends a text as a string of JSON.
func appendJSONText(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\t':
			b = append(b, `\t`...)
		default:
			b = appendHarmlessRune(b, r)
		}
	}
	return append(b, '"')
}

// appendHarmless appends valid JSON without the blanks around its parts, and with escapes for what
// would do something to a terminal: in valid JSON such characters are in strings, if they are no
// blanks.
func appendHarmless(b, raw []byte) []byte {
	inside := false
	for i := 0; i < len(raw); {
		c := raw[i]
		switch {
		case c == '\\': // only inside of a string
			b = append(b, c, raw[i+1])
			i += 2
			continue
		case c == '"':
			inside = !inside
		case !inside && (c == ' ' || c == '\n' || c == '\t' || c == '\r'):
			i++
			continue
		case c >= utf8.RuneSelf || c == 0x7F:
			r, size := utf8.DecodeRune(raw[i:])
			b = appendHarmlessRune(b, r)
			i += size
			continue
		}
		b = append(b, c)
		i++
	}
	return b
}

// appendHarmlessRune appends a character of a string of JSON.
func appendHarmlessRune(b []byte, r rune) []byte {
	switch {
	case r == utf8.RuneError || !harmful(r): // the first is U+FFFD, whatever it was made of
		return utf8.AppendRune(b, r)
	case r > 0xFFFF:
		r -= 0x10000
		return fmt.Appendf(b, `\u%04x\u%04x`, 0xD800+r>>10, 0xDC00+r&0x3FF)
	}
	return fmt.Appendf(b, `\u%04x`, r)
}

// appendJSONEvent appends a whole event, with the names that its columns have.
func appendJSONEvent(b []byte, e *eventfold.Event) []byte {
	tags := []byte("[]")
	if len(e.Tags) > 0 {
		tags, _ = json.Marshal(e.Tags) // cannot fail
	}
	fields := []struct {
		name  string
		value any
	}{
		{"position", int64(e.Position)}, {"stream", e.Stream}, {"version", int64(e.Version)},
		{"id", e.ID.String()}, {"type", e.Type}, {"payload", orNil(e.Payload)},
		{"metadata", orNil(e.Metadata)}, {"tags", tags}, {"recorded_at", e.RecordedAt},
	}
	for i, f := range fields {
		b = append(append(append(b, "{,"[min(i, 1)]), '"'), f.name...)
		b = appendJSON(append(b, `":`...), f.value)
	}
	return append(b, '}')
}

// orNil makes no bytes NULL.
func orNil(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}
