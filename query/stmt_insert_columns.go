package query

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/jsonpath"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A newRow is one row of an INSERT.
type newRow struct {
	stream   string
	event    engine.NewEvent
	json     bool // the payload must be JSON
	expects  bool // expected_version is given
	expected engine.ExpectedVersion
}

// A writeColumn is a column that INSERT can give.
type writeColumn struct {
	name string
	set  setter
}

// A setter takes a value of a column into the row. It returns what is wrong with the value, "" for
// nothing.
type setter func(r *newRow, v value.Value) string

// writeColumns are the columns that INSERT can give: those of eventColumns that the store does not
// assign, and expected_version.
var writeColumns = func() (list []*writeColumn) {
	for i := range eventColumns {
		if c := &eventColumns[i]; c.set != nil {
			list = append(list, &writeColumn{c.Name, c.set})
		}
	}
	return append(list, &writeColumn{"expected_version", setExpected})
}()

// implicitColumns are those of an INSERT without a column list; $all has the stream before them.
var implicitColumns = []string{"stream", "type", "payload", "metadata", "id"}

func writeColumnNamed(name string) *writeColumn {
	for _, w := range writeColumns {
		if sameName(w.name, name) {
			return w
		}
	}
	return nil
}

func setStream(r *newRow, v value.Value) string {
	name, ok := nameOf(v)
	if !ok {
		return "takes a text"
	}
	r.stream = name
	return nameFaults[engine.CheckStream(name)]
}

func setType(r *newRow, v value.Value) string {
	name, ok := nameOf(v)
	switch {
	case v.Kind == value.Null:
		return "cannot be NULL"
	case !ok:
		return "takes a text"
	}
	r.event.Type = name
	return nameFaults[engine.CheckType(name)]
}

// textOf returns a text, or a blob that is one: some callers bind names as []byte.
func textOf(v value.Value) (string, bool) {
	return v.S, v.Kind == value.String || v.Kind == value.Bytes
}

// nameOf returns a text of its own: errors hold names for longer than arguments last.
func nameOf(v value.Value) (string, bool) {
	if v.Kind == value.Bytes {
		return strings.Clone(v.S), true
	}
	return textOf(v)
}

func setPayload(r *newRow, v value.Value) string {
	if v.Kind == value.Null {
		return ""
	}
	text := storedJSON(v)
	if r.json && !engine.ValidJSON(text) {
		return "is not JSON, which json=require asks for: " + whyNotJSON(text)
	}
	r.event.Payload = text
	return ""
}

func setMetadata(r *newRow, v value.Value) string {
	if v.Kind == value.Null {
		return ""
	}
	text := storedJSON(v)
	if !engine.ValidJSON(text) {
		return "is not JSON: " + whyNotJSON(text)
	}
	r.event.Metadata = text
	return ""
}

// storedJSON is what a value is stored as where JSON is: a text as it is, a bool of Go as true or
// false, and a time as a string.
func storedJSON(v value.Value) []byte {
	switch {
	case v.Kind == value.Time:
		return []byte(`"` + v.Text() + `"`)
	case v.Flag:
		return strconv.AppendBool(nil, v.N != 0)
	}
	return value.BytesOf(v.Text())
}

// whyNotJSON says what is wrong with a text that is not JSON, and at which byte.
func whyNotJSON(text []byte) string {
	var syntax *json.SyntaxError
	err := json.Unmarshal(text, new(json.RawMessage))
	if errors.As(err, &syntax) {
		return fmt.Sprintf("%v, at byte %d", syntax, syntax.Offset)
	}
	return "it cannot be read"
}

func setID(r *newRow, v value.Value) string {
	if v.Kind == value.Null {
		return ""
	}
	text, ok := textOf(v)
	if !ok {
		return "takes a UUID, as a text or as 16 bytes"
	}
	id, err := uuid.Parse(text)
	if v.Kind == value.Bytes && len(text) == len(id) {
		id, err = uuid.FromBytes([]byte(text))
	}
	if err != nil {
		return "is not a UUID"
	}
	if id == uuid.Nil {
		return "is the nil UUID, which identifies nothing"
	}
	r.event.ID = id
	return ""
}

func setTags(r *newRow, v value.Value) string {
	if v.Kind == value.Null {
		return ""
	}
	text, ok := textOf(v)
	if !ok {
		return "takes a JSON array of strings"
	}
	if tags, ok := plainTags(text); ok {
		r.event.Tags = eachOnce(tags)
		return ""
	}
	var list []*string // a null in it is none
	if json.Unmarshal([]byte(text), &list) != nil || slices.Contains(list, nil) {
		return "takes a JSON array of strings"
	}
	if jsonpath.LosesText(text) {
		return "holds a tag that is not valid UTF-8"
	}
	tags := make([]string, len(list))
	for i, tag := range list {
		tags[i] = *tag
	}
	r.event.Tags = eachOnce(tags)
	return ""
}

// eachOnce sorts tags, as the store does, and drops those that are there already.
func eachOnce(tags []string) []string {
	slices.Sort(tags)
	return slices.Compact(tags)
}

// plainTags parses a JSON array of strings that is written as most are, without spaces and escapes:
// ["a","b"]. ok is false for any other. The tags share the memory of text.
func plainTags(text string) (tags []string, ok bool) {
	inner, begins := strings.CutPrefix(text, `["`)
	inner, ends := strings.CutSuffix(inner, `"]`)
	special := func(c rune) bool { return c < ' ' || c == '\\' || c == utf8.RuneError }
	if !begins || !ends || strings.ContainsFunc(inner, special) {
		return nil, false
	}
	tags = strings.Split(inner, `","`)
	for _, tag := range tags {
		if strings.IndexByte(tag, '"') >= 0 {
			return nil, false
		}
	}
	return tags, true
}

// expectedWords are the texts that expected_version takes.
var expectedWords = map[string]engine.ExpectedVersion{
	"any": engine.Any, "no stream": engine.NoStream, "exists": engine.StreamExists,
	"stream exists": engine.StreamExists,
}

// setExpected takes NULL for ANY: it is what a query builder writes for a field that is not set.
func setExpected(r *newRow, v value.Value) string {
	e, ok := expectedVersion(v)
	if !ok && v.Kind != value.Null {
		return "takes a version, 'any', 'no stream' or 'exists'"
	}
	r.expected, r.expects = e, true
	return ""
}

// expectedVersion reads what engine.ExpectedVersion is as a value: a version, -1 for a stream that
// was not there, or a word.
func expectedVersion(v value.Value) (e engine.ExpectedVersion, ok bool) {
	switch v = value.AsNumber(v); v.Kind {
	case value.Int:
		return engine.Exact(engine.Version(v.N)), v.N >= int64(engine.NoVersion)
	case value.String:
		e, ok = expectedWords[strings.ToLower(v.S)]
	}
	return e, ok
}

// resolveColumns finds out which columns the rows give.
func (p *insertPlan) resolveColumns(st *parser.Insert) error {
	if len(st.Columns) == 0 {
		names := implicitColumns
		if !p.into.all {
			names = names[1:]
		}
		for _, name := range names {
			p.writes = append(p.writes, writeColumnNamed(name))
		}
		return nil
	}
	seen := map[string]bool{}
	for _, name := range st.Columns {
		w, err := p.resolveColumn(name)
		if err != nil {
			return err
		}
		if seen[w.name] {
			return errorf(BadStatement, name.Pos, "the column %s is given twice", w.name)
		}
		seen[w.name] = true
		p.writes = append(p.writes, w)
	}
	switch {
	case !seen["type"]:
		return errorf(BadStatement, st.Pos, "INSERT must give the column type")
	case p.into.all && !seen["stream"]:
		return errorf(BadStatement, st.Pos, "INSERT INTO $all must give the column stream")
	}
	return nil
}

func (p *insertPlan) resolveColumn(name parser.Name) (*writeColumn, error) {
	w := writeColumnNamed(name.Text)
	if w == nil {
		for i := range eventColumns {
			if sameName(eventColumns[i].Name, name.Text) {
				return nil, errorf(BadStatement, name.Pos,
					"the column %s is assigned by the store", eventColumns[i].Name)
			}
		}
		e := errorf(UnknownColumn, name.Pos, "there is no column %s", fault.Quoted(name.Text))
		e.Hint = insertHint(name.Text)
		return nil, e
	}
	if w.name == "stream" && !p.into.all {
		return nil, errorf(BadStatement, name.Pos,
			"the stream is named by the table already; the column stream is for INSERT INTO $all")
	}
	return w, nil
}

func (p *insertPlan) checkWidth(st *parser.Insert, row []parser.Expr) error {
	least := len(p.writes)
	if len(st.Columns) == 0 { // what is missing at the end is left out
		least = 1
		if p.into.all {
			least = 2
		}
	}
	if len(row) >= least && len(row) <= len(p.writes) {
		return nil
	}
	pos := st.Pos
	if len(row) > 0 {
		pos = row[0].At()
	}
	return errorf(BadStatement, pos, "the row has %d values for %d columns", len(row), len(p.writes))
}

// insertTakes lists the columns that INSERT can give, for errors.
var insertTakes = func() string {
	names := slices.Clone(implicitColumns[1:])
	for _, w := range writeColumns[:len(writeColumns)-1] {
		if !slices.Contains(implicitColumns, w.name) {
			names = append(names, w.name)
		}
	}
	names = append(names, implicitColumns[0])
	return "INSERT takes " + strings.Join(names, ", ") + " and " + writeColumns[len(writeColumns)-1].name
}()

// insertHint says which column an INSERT may have meant, and which ones there are.
func insertHint(name string) string {
	name = parser.LowerASCII(name)
	meant := foreignColumns[name]
	if meant == "" && len(name) <= maxSimilar {
		least := 3
		for _, w := range writeColumns {
			if d := parser.EditDistance(name, w.name); d < least && 2*d < len(w.name) {
				meant, least = w.name, d
			}
		}
	}
	switch {
	case meant == "":
		return insertTakes
	case writeColumnNamed(meant) == nil:
		return "the column is " + meant + ", which is assigned by the store; " + insertTakes
	}
	return "the column is " + meant + "; " + insertTakes
}
