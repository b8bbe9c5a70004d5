package transfer

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
)

// Lines are a CloudEvent each, in the JSON format of version 1.0 of the specification. The
// attributes of an event are those of an eventfold event where CloudEvents has a word for it: id,
// type, subject (the stream), time, data. Position and version are extensions, texts because the
// integers of CloudEvents have 32 bits; metadata and tags are texts that hold JSON, because
// extensions have no structure.

// timeFormat is RFC 3339 with the microseconds that a store keeps.
const timeFormat = "2006-01-02T15:04:05.000000Z07:00"

// A lineWriter writes CloudEvents, one a line.
type lineWriter struct {
	w      io.Writer
	source string
	buf    []byte
}

func newLines(w io.Writer, _ bool, source string) (writer, error) {
	return &lineWriter{w: w, source: source}, nil
}

func (l *lineWriter) Close() error { return nil }

func (l *lineWriter) Write(e *eventfold.Event) error {
	b := append(l.buf[:0], `{"specversion":"1.0","id":"`...)
	b = append(b, e.ID.String()...)
	b = append(b, '"')
	b = appendMember(b, "source", l.source)
	b = appendMember(b, "type", e.Type)
	b = appendMember(b, "subject", e.Stream)
	b = append(b, `,"time":"`...)
	b = e.RecordedAt.UTC().AppendFormat(b, timeFormat)
	b = append(b, `","position":"`...)
	b = strconv.AppendInt(b, int64(e.Position), 10)
	b = append(b, `","version":"`...)
	b = strconv.AppendInt(b, int64(e.Version), 10)
	b = append(b, '"')
	b = appendMetadata(b, e)
	if len(e.Tags) > 0 {
		tags, err := json.Marshal(e.Tags)
		if err != nil {
			return err
		}
		b = appendMember(b, "tags", string(tags))
	}
	if e.Redacted {
		b = append(b, `,"redacted":true`...)
	}
	b = appendData(b, e)
	b = append(b, '}', '\n')
	l.buf = b
	_, err := l.w.Write(b)
	return err
}

// appendMember appends a member with a text, which is valid UTF-8.
func appendMember(b []byte, name, value string) []byte {
	b = append(b, `,"`...)
	b = append(b, name...)
	b = append(b, `":`...)
	return appendText(b, value)
}

// appendText appends a text as JSON.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ' || r == 0x7f || r == 0x2028 || r == 0x2029:
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}

// appendMetadata appends the metadata, unless they are those that every event has at least.
func appendMetadata(b []byte, e *eventfold.Event) []byte {
	switch {
	case string(e.Metadata) == "{}" || len(e.Metadata) == 0:
		return b
	case utf8.Valid(e.Metadata):
		return appendMember(b, "metadata", string(e.Metadata))
	}
	return appendMember(b, "metadatabase64", base64.StdEncoding.EncodeToString(e.Metadata))
}

// appendData appends the payload: JSON as it stands, byte for byte, and everything else, JSON that
// would not come back as it is too, in base64.
func appendData(b []byte, e *eventfold.Event) []byte {
	switch {
	case e.Payload == nil:
		return b
	case fitsLine(e.Payload):
		b = append(b, `,"datacontenttype":"application/json","data":`...)
		return append(b, e.Payload...)
	}
	return appendMember(b, "data_base64", base64.StdEncoding.EncodeToString(e.Payload))
}

// fitsLine reports whether a payload is JSON that can stand in a line, and is then read again as it
// was.
func fitsLine(p []byte) bool {
	if len(p) == 0 || p[0] <= ' ' || p[len(p)-1] <= ' ' || !utf8.Valid(p) || !engine.ValidJSON(p) {
		return false
	}
	depth := 0
	for _, c := range p {
		switch {
		case c < ' ' && c != '\t':
			return false
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']': // those in texts count, too, which does not matter
			depth--
		}
		if depth > maxDepth {
			return false
		}
	}
	return true
}

// maxDepth is how deep a payload may be nested: readers of JSON have a limit, which is 10,000 in Go,
// and a line is an object around it.
const maxDepth = 512

// ReadOptions say how events of others are read.
type ReadOptions struct {
	Stream string // of events that name none; "" is none
}

func readLines(r io.Reader, o ReadOptions) iter.Seq2[eventfold.Event, error] {
	return func(yield func(eventfold.Event, error) bool) {
		lines := NewLineReader(r)
		for n := 1; ; n++ {
			line, err := lines.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err == nil && len(bytes.TrimSpace(line)) == 0 {
				continue
			}
			var e eventfold.Event
			if err == nil {
				e, err = parseLine(line, o)
			}
			if err != nil {
				yield(eventfold.Event{}, &InputError{Line: n, Err: err})
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// An InputError says where in a file something is no event.
type InputError struct {
	Line int // or row, from 1
	Err  error
}

// Error implements error.
func (e *InputError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Err) }

// Unwrap returns what is wrong there.
func (e *InputError) Unwrap() error { return e.Err }

// known are the attributes that have a place of their own in an event.
var known = map[string]bool{
	"specversion": true, "id": true, "source": true, "type": true, "subject": true, "time": true,
	"datacontenttype": true, "data": true, "data_base64": true, "position": true, "version": true,
	"metadata": true, "metadatabase64": true, "tags": true, "redacted": true,
}

// parseLine reads a CloudEvent, one of ours or of somebody else.
func parseLine(line []byte, o ReadOptions) (e eventfold.Event, err error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(line, &members); err != nil {
		return e, err
	}
	a := attributes{members: members}
	e.Type, e.Stream = a.text("type"), a.text("subject")
	e.Position, e.Version = engine.Position(a.number("position")), engine.Version(a.number("version"))
	if e.Stream == "" {
		e.Stream = o.Stream
	}
	e.RecordedAt = a.time("time")
	id, source := a.text("id"), a.text("source")
	e.Redacted = string(members["redacted"]) == "true"
	e.Payload, e.Metadata = a.payload(), a.metadata()
	if tags := a.text("tags"); tags != "" {
		a.note("tags", json.Unmarshal([]byte(tags), &e.Tags))
	}
	if a.err != nil {
		return e, a.err
	}
	if e.ID, err = idOf(id, source); err != nil {
		return e, err
	}
	switch {
	case e.Type == "":
		return e, errors.New("it has no type")
	case e.Stream == "":
		return e, errors.New("it has no subject, which becomes the stream: say one with --stream")
	}
	return e, nil
}

// attributes are the members of a CloudEvent. The first that is wrong makes err.
type attributes struct {
	members map[string]json.RawMessage
	err     error
}

func (a *attributes) note(name string, err error) {
	if err != nil && a.err == nil {
		a.err = fmt.Errorf("%s: %w", name, err)
	}
}

// text returns an attribute that is a text, "" if it is not there.
func (a *attributes) text(name string) (s string) {
	if raw, ok := a.members[name]; ok {
		a.note(name, json.Unmarshal(raw, &s))
	}
	return s
}

// number returns a number, which may stand in a text; -1 if it is not there.
func (a *attributes) number(name string) int64 {
	raw, ok := a.members[name]
	if !ok || string(raw) == "null" {
		return -1
	}
	n, err := strconv.ParseInt(strings.Trim(string(raw), `"`), 10, 64)
	if err == nil && n < 0 {
		err = errors.New("it is negative")
	}
	a.note(name, err)
	return n
}

func (a *attributes) time(name string) time.Time {
	text := a.text(name)
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	a.note(name, err)
	return t.UTC().Truncate(time.Microsecond)
}

func (a *attributes) base64(name string) []byte {
	b, err := base64.StdEncoding.DecodeString(a.text(name))
	a.note(name, err)
	if b == nil {
		b = []byte{}
	}
	return b
}

func (a *attributes) payload() []byte {
	if _, ok := a.members["data_base64"]; ok {
		return a.base64("data_base64")
	}
	if raw, ok := a.members["data"]; ok {
		return append([]byte{}, raw...)
	}
	return nil
}

// metadata returns the metadata of one of our events, or the extensions of one of somebody else.
func (a *attributes) metadata() []byte {
	if _, ok := a.members["metadatabase64"]; ok {
		return a.base64("metadatabase64")
	}
	if _, ok := a.members["metadata"]; ok {
		return []byte(a.text("metadata"))
	}
	extensions := map[string]json.RawMessage{}
	for name, raw := range a.members {
		if !known[name] {
			extensions[name] = raw
		}
	}
	if len(extensions) == 0 {
		return []byte("{}")
	}
	b, err := json.Marshal(extensions)
	a.note("extensions", err)
	return b
}
