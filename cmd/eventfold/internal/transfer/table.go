package transfer

import (
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
)

// columns are those of CSV. The last one says which of the others are not what they look like: a
// payload that is NULL and not empty, and bytes that are no text or that CSV would change.
var columns = []string{
	"position", "stream", "version", "id", "type", "payload", "metadata", "tags", "recorded_at", "redacted", "encoding",
}

// The places of columns.
const (
	colPosition = iota
	colStream
	colVersion
	colID
	colType
	colPayload
	colMetadata
	colTags
	colTime
	colRedacted
	colEncoding
)

// What the column encoding says of another one.
const (
	isNull   = "=null"
	isBase64 = "=base64"
)

// A tableWriter writes CSV (RFC 4180).
type tableWriter struct {
	w   *csv.Writer
	row [11]string
}

func newTable(w io.Writer, first bool, _ string) (writer, error) {
	t := &tableWriter{w: csv.NewWriter(w)}
	if first {
		return t, t.w.Write(columns)
	}
	return t, nil
}

func (t *tableWriter) Close() error {
	t.w.Flush()
	return t.w.Error()
}

func (t *tableWriter) Write(e *eventfold.Event) error {
	tags := ""
	if len(e.Tags) > 0 {
		b, err := json.Marshal(e.Tags)
		if err != nil {
			return err
		}
		tags = string(b)
	}
	r := &t.row
	r[colPosition] = strconv.FormatInt(int64(e.Position), 10)
	r[colVersion] = strconv.FormatInt(int64(e.Version), 10)
	r[colID], r[colTags] = e.ID.String(), tags
	r[colTime] = e.RecordedAt.UTC().Format(timeFormat)
	r[colRedacted] = strconv.FormatBool(e.Redacted)
	var encodings []string
	put := func(column int, value string) {
		if r[column] = value; !fitsCell(value) {
			r[column] = base64.StdEncoding.EncodeToString([]byte(value))
			encodings = append(encodings, columns[column]+isBase64)
		}
	}
	put(colStream, e.Stream)
	put(colType, e.Type)
	put(colMetadata, string(e.Metadata))
	put(colPayload, string(e.Payload))
	if e.Payload == nil {
		encodings = append(encodings, columns[colPayload]+isNull)
	}
	r[colEncoding] = strings.Join(encodings, " ")
	return t.w.Write(r[:])
}

// fitsCell reports whether a value is read again as it was: readers of CSV change ends of lines.
func fitsCell(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsAny(s, "\r\x00") && !strings.HasPrefix(s, "\ufeff")
}

func readTable(r io.Reader, o ReadOptions) iter.Seq2[eventfold.Event, error] {
	return func(yield func(eventfold.Event, error) bool) {
		in := csv.NewReader(r)
		in.ReuseRecord = true
		head, err := in.Read()
		if err != nil {
			if err != io.EOF {
				yield(eventfold.Event{}, err)
			}
			return
		}
		places, err := placesOf(slices.Clone(head))
		if err != nil {
			yield(eventfold.Event{}, err)
			return
		}
		for {
			row, err := in.Read()
			if err == io.EOF {
				return
			}
			var e eventfold.Event
			if err == nil { // an error of the reader tells its line itself
				e, err = parseRow(row, places, o)
				if err != nil {
					line, _ := in.FieldPos(0)
					err = &InputError{Line: line, Err: err}
				}
			}
			if err != nil {
				yield(eventfold.Event{}, err)
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// placesOf returns where each of our columns is in a file, -1 for one that it does not have.
func placesOf(head []string) (places [11]int, err error) {
	for i, name := range columns {
		places[i] = slices.Index(head, name)
	}
	for _, needed := range []int{colID, colType} {
		if places[needed] < 0 {
			return places, fmt.Errorf("the first line names no column %q; the columns are %s", columns[needed],
				strings.Join(columns, ", "))
		}
	}
	return places, nil
}

func parseRow(row []string, places [11]int, o ReadOptions) (e eventfold.Event, err error) {
	c := cells{row: row, places: places}
	if places[colEncoding] >= 0 {
		c.encodings = strings.Fields(row[places[colEncoding]])
	}
	e.Position, e.Version = engine.Position(c.number(colPosition)), engine.Version(c.number(colVersion))
	e.Stream, e.Type = c.text(colStream), c.text(colType)
	if e.Stream == "" {
		e.Stream = o.Stream
	}
	e.Metadata = []byte(c.text(colMetadata))
	if !slices.Contains(c.encodings, columns[colPayload]+isNull) && places[colPayload] >= 0 {
		e.Payload = []byte(c.text(colPayload))
	}
	if tags := c.text(colTags); tags != "" {
		c.note(colTags, json.Unmarshal([]byte(tags), &e.Tags))
	}
	if text := c.text(colTime); text != "" {
		t, err := time.Parse(time.RFC3339Nano, text)
		c.note(colTime, err)
		e.RecordedAt = t.UTC().Truncate(time.Microsecond)
	}
	id := c.text(colID)
	e.Redacted = c.text(colRedacted) == "true"
	if c.err != nil {
		return e, c.err
	}
	if e.Stream == "" {
		return e, errors.New("it has no stream: say one with --stream")
	}
	e.ID, err = idOf(id, "")
	return e, err
}

// cells are those of a row. The first that is wrong makes err.
type cells struct {
	row       []string
	places    [11]int
	encodings []string
	err       error
}

func (c *cells) note(column int, err error) {
	if err != nil && c.err == nil {
		c.err = fmt.Errorf("%s: %w", columns[column], err)
	}
}

func (c *cells) text(column int) string {
	if c.places[column] < 0 {
		return ""
	}
	s := c.row[c.places[column]]
	if !slices.Contains(c.encodings, columns[column]+isBase64) {
		return s
	}
	b, err := base64.StdEncoding.DecodeString(s)
	c.note(column, err)
	return string(b)
}

func (c *cells) number(column int) int64 {
	text := c.text(column)
	if text == "" {
		return -1
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err == nil && n < 0 {
		err = errors.New("it is negative")
	}
	c.note(column, err)
	return n
}
