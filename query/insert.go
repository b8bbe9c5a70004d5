package query

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/internal/jsontext"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/value"
)

// An insertPlan is a compiled INSERT.
type insertPlan struct {
	into      target
	writes    []*writeColumn // by place in a row
	rows      [][]*expr
	expect    []*expectPlan
	returning []returnColumn
	columns   []Column
	pos       parser.Pos

	conditions bool // hasConditions
}

// A target is the table that an INSERT or EXPECT names.
type target struct {
	all    bool   // $all: every row names its stream
	stream string // the stream, if it is not bound
	param  *expr  // the stream's name as an argument, nil if it is in the text
	pos    parser.Pos
}

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
	set  func(r *newRow, v value.Value) string // what is wrong with the value, "" for nothing
}

// writeColumns are the columns that INSERT can give. Those of eventColumns that are missing are assigned by the store.
var writeColumns = []*writeColumn{
	{"stream", setStream},
	{"type", setType},
	{"payload", setPayload},
	{"metadata", setMetadata},
	{"id", setID},
	{"tags", setTags},
	{"expected_version", setExpected},
}

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
	return checkStream(name)
}

func setType(r *newRow, v value.Value) string {
	name, ok := nameOf(v)
	switch {
	case v.Kind == value.Null:
		return "cannot be NULL"
	case !ok:
		return "takes a text"
	case name == "":
		return "is empty"
	case len(name) > engine.MaxTypeSize:
		return "is longer than 255 bytes"
	case !utf8.ValidString(name):
		return "is not valid UTF-8"
	}
	r.event.Type = name
	return ""
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

// storedJSON is what a value is stored as where JSON is: a text as it is, a bool of Go as true or false, and a time as a string.
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
	if jsontext.LosesText(text) {
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

// plainTags parses a JSON array of strings that is written as most are, without spaces and escapes: ["a","b"]. ok is false for any other.
// The tags share the memory of text.
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
	"any": engine.Any, "no stream": engine.NoStream, "exists": engine.StreamExists, "stream exists": engine.StreamExists,
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

// expectedVersion reads what engine.ExpectedVersion is as a value: a version, -1 for a stream that was not there, or a
// word.
func expectedVersion(v value.Value) (e engine.ExpectedVersion, ok bool) {
	switch v = value.AsNumber(v); v.Kind {
	case value.Int:
		return engine.Exact(engine.Version(v.N)), v.N >= int64(engine.NoVersion)
	case value.String:
		e, ok = expectedWords[strings.ToLower(v.S)]
	}
	return e, ok
}

// insert compiles an INSERT.
func (c *statementCompiler) insert(st *parser.Insert) (*insertPlan, error) {
	p := &insertPlan{pos: st.Pos}
	if err := c.target(st.Into, &p.into); err != nil {
		return nil, err
	}
	if err := p.resolveColumns(st); err != nil {
		return nil, err
	}
	s := c.constants("VALUES", onlyConstants)
	for _, row := range st.Rows {
		if err := p.checkWidth(st, row); err != nil {
			return nil, err
		}
		values, err := s.compileAll(row)
		if err != nil {
			return nil, err
		}
		for i := range values {
			v := *values[i]
			v.pos = row[i].At()
			values[i] = &v
		}
		p.rows = append(p.rows, values)
	}
	for _, e := range st.Expect {
		x, err := c.expectation(&e)
		if err != nil {
			return nil, err
		}
		p.expect = append(p.expect, x)
	}
	if err := p.compileReturning(st.Returning, c.pending()); err != nil {
		return nil, err
	}
	p.conditions = p.hasConditions()
	return p, nil
}

// constants returns a scope for expressions without a table, which stand within a query.
func (c *statementCompiler) constants(clause string, q queryScope) *clauseScope {
	return &clauseScope{clause: clause, coreScope: &coreScope{
		statementCompiler: c, queryScope: q, core: &parser.Core{}, from: one{}, ordinals: map[*expr]int{},
	}}
}

// onlyConstants is the scope of what no query surrounds.
var onlyConstants = queryScope{constant: true}

// target resolves the table of an INSERT or EXPECT.
func (c *statementCompiler) target(t *parser.Table, to *target) error {
	to.pos = t.Pos
	if t.Param != nil {
		x, err := compileExpr(t.Param, c.constants("INTO", onlyConstants))
		to.param = x
		return err
	}
	def, err := c.catalog.table(t)
	if err != nil {
		return err
	}
	events, ok := def.(*eventTable)
	if !ok {
		return errorf(BadStatement, t.Pos, "%s cannot be written to; INSERT appends to a stream or to $all", quoted(def.name()))
	}
	to.all, to.stream = events.all, events.stream
	return nil
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
				return nil, errorf(BadStatement, name.Pos, "the column %s is assigned by the store", eventColumns[i].Name)
			}
		}
		e := errorf(UnknownColumn, name.Pos, "there is no column %s", quoted(name.Text))
		e.Hint = insertHint(name.Text)
		return nil, e
	}
	if w.name == "stream" && !p.into.all {
		return nil, errorf(BadStatement, name.Pos, "the stream is named by the table already; the column stream is for INSERT INTO $all")
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

// evaluate computes the rows of one execution.
func (p *insertPlan) evaluate(in *insertion, en *env) error {
	stream, err := p.into.name(en)
	if err != nil {
		return err
	}
	in.rows = slices.Grow(in.rows[:0], len(p.rows))[:len(p.rows)]
	for i, exprs := range p.rows {
		r := &in.rows[i]
		r.stream, r.json = stream, en.exec.session.Settings.JSONRequired
		for k, e := range exprs {
			v := e.eval(en)
			if en.err != nil {
				return en.err
			}
			if wrong := p.writes[k].set(r, v); wrong != "" {
				return errorf(BadArgument, e.pos, "%s %s", p.writes[k].name, wrong)
			}
		}
	}
	return nil
}

// name returns the stream that the target names, "" for $all.
func (t *target) name(en *env) (string, error) {
	if t.param == nil {
		return t.stream, nil
	}
	v := t.param.eval(en)
	if en.err != nil {
		return "", en.err
	}
	name, ok := nameOf(v)
	if !ok {
		return "", errorf(BadArgument, t.pos, "the name of a stream takes a text")
	}
	if wrong := checkStream(name); wrong != "" {
		return "", errorf(BadArgument, t.pos, "the name of a stream %s", wrong)
	}
	return name, nil
}

// appends turns rows into appends: one for every run of rows of one stream.
func (p *insertPlan) appends(in *insertion, en *env) error {
	var err error
	if in.expect, err = evaluateExpectations(en, p.expect, in.expect[:0]); err != nil {
		return err
	}
	if len(in.rows) == 1 {
		p.appendRow(in)
		return nil
	}
	in.appends, in.events = in.appends[:0], slices.Grow(in.events[:0], len(in.rows))
	first := map[string]*newRow{}
	for i := range in.rows {
		r := &in.rows[i]
		if i == 0 || r.stream != in.rows[i-1].stream {
			in.appends = append(in.appends, engine.Append{Stream: r.stream})
		}
		a := &in.appends[len(in.appends)-1]
		if f := first[r.stream]; f == nil {
			first[r.stream] = r
			if r.expects {
				a.Expect = append(a.Expect, r.expected)
			}
		} else if r.expects && r.expected != f.expected {
			return errorf(BadArgument, p.pos, "the rows of stream %s give different values for expected_version", quoted(r.stream))
		}
		in.events = append(in.events, r.event)
		a.Events = in.events[len(in.events)-len(a.Events)-1:]
	}
	if len(first) > 1 {
		if err := p.checkSeveral(len(first)); err != nil {
			return err
		}
	}
	if len(in.appends) > 0 { // the first one's conditions see none of the rows
		in.appends[0].Expect = append(in.appends[0].Expect, in.expect...)
	}
	return nil
}

// checkSeveral refuses an INSERT into n streams that expects something of the version of one.
func (p *insertPlan) checkSeveral(n int) error {
	for _, e := range p.expect {
		if e.kind != parser.ExpectAny && e.kind != parser.ExpectNoEvent {
			return errorf(BadArgument, e.pos, "EXPECTING is about one stream, and the rows name %d; use the column expected_version", n)
		}
	}
	return nil
}

// appendRow makes the append of a statement with a single row.
func (p *insertPlan) appendRow(in *insertion) {
	r := &in.rows[0]
	if r.expects {
		in.expect = append(in.expect, r.expected)
	}
	in.events = append(in.events[:0], r.event)
	in.appends = append(in.appends[:0], engine.Append{Stream: r.stream, Expect: in.expect, Events: in.events})
}

func (p *insertPlan) query(ctx context.Context, s *Session, args []argument) (Rows, error) {
	in, en := p.begin(ctx, s, args)
	defer p.finish(in, en)
	done, err := p.run(s, in, en)
	if err != nil {
		return nil, err
	}
	return p.returningRows(s, done, in.rows)
}

func (p *insertPlan) exec(ctx context.Context, s *Session, args []argument) (Outcome, error) {
	in, en := p.begin(ctx, s, args)
	defer p.finish(in, en)
	done, err := p.run(s, in, en)
	out := Outcome{LastPosition: engine.NoPosition}
	if err != nil {
		return out, err
	}
	out.Pending, out.Duplicate = s.Tx != nil, done.Duplicate
	if !out.Duplicate {
		out.RowsAffected = int64(len(in.rows))
	}
	if out.Pending {
		out.Receipt = s.Tx.receipt(len(in.rows))
	} else if n := len(done.Events); n > 0 {
		out.LastPosition = done.Events[n-1].Position
	}
	return out, nil
}

// run appends the rows, or buffers them in the session's transaction.
func (p *insertPlan) run(s *Session, in *insertion, en *env) (engine.Appended, error) {
	if s.Tx != nil {
		if err := s.Tx.writable(p.pos); err != nil {
			return engine.Appended{}, err
		}
		if err := p.checkPending(); err != nil {
			return engine.Appended{}, err
		}
	}
	if err := p.evaluate(in, en); err != nil {
		return engine.Appended{}, err
	}
	if err := p.appends(in, en); err != nil {
		return engine.Appended{}, err
	}
	if s.Tx == nil {
		return s.Store.Append(en.ctx, in.appends...)
	}
	if err := s.Tx.add(en.ctx, in.appends); err != nil || p.returning == nil {
		return engine.Appended{}, err
	}
	return engine.Appended{Events: s.Tx.last(len(in.rows))}, nil
}
