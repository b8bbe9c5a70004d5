package eventfold

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// A Guard is a condition of an append: it fails with [ErrConditionFailed] if an event behind After
// passes the filter. After is the last position that the decision has seen, NoPosition for none.
type Guard struct {
	Filter Filter
	After  Position
}

// AppendEvents appends events to a stream, all or none of them, if the stream is as expected. An
// event is a Go value, which is written as JSON under the name of its type; a [Draft], which has
// tags, metadata, an id or another stream as well; or a [NewEvent], which is taken as it is. A
// [Guard] among them is no event but a condition more. [DefaultRegistry] tells the types.
//
// It returns where each event has its place. In a transaction there are no positions yet: they are
// NoPosition, and the versions NoVersion unless an exact expectation pins the stream. Of an append
// that was stored before, by its ids, it returns the original places.
//
// One call takes up to about 6,500 events, 64 MiB encoded. Appends fail as INSERT does: ask
// [IsConflict]. If ctx ends before the append is made, the error is its own and nothing was
// appended; if it ends before the places are told, the error is an [ErrOutcomeUnknown] around it.
// Then the same call under the context of [WithRequest] or [Retry], or with the same ids, appends
// nothing twice and returns the places.
func AppendEvents(ctx context.Context, db Querier, stream string, expected ExpectedVersion,
	events ...any) (Appended, error) {
	return DefaultRegistry.AppendEvents(ctx, db, stream, expected, events...)
}

// AppendEvents is the function of that name with the types of r.
func (r *Registry) AppendEvents(ctx context.Context, db Querier, stream string, expected ExpectedVersion,
	events ...any) (Appended, error) {
	in := insertion{stream: stream}
	for _, given := range events {
		if g, ok := given.(Guard); ok {
			in.guards = append(in.guards, g)
			continue
		}
		d, ok := given.(Draft)
		if !ok {
			d = Draft{Event: given}
		}
		if d.Stream == "" {
			d.Stream = stream
		}
		e, err := r.Encode(d)
		if err != nil {
			return Appended{}, err
		}
		in.add(d.Stream, e)
	}
	if len(in.events) == 0 {
		return Appended{}, fault(ErrArgument, "append", "there is no event to append")
	}
	request := requestOf(ctx)
	call := request.begin()
	in.name(request, call)
	a, err := in.run(ctx, db, expected)
	if err != nil {
		request.back(call)
	}
	return a, err
}

// An insertion is an INSERT that is being made.
type insertion struct {
	stream  string
	several bool     // streams
	streams []string // of the events
	events  []NewEvent
	guards  []Guard
}

func (in *insertion) add(stream string, e NewEvent) {
	if len(in.events) == 0 {
		in.stream = stream
	}
	in.several = in.several || stream != in.stream
	in.streams = append(in.streams, stream)
	in.events = append(in.events, e)
}

// name gives the events without ids those of a call of a request.
func (in *insertion) name(r *request, call int) {
	if r == nil {
		return
	}
	n := 0
	for i := range in.events {
		if in.events[i].ID == uuid.Nil {
			in.events[i].ID = r.id(call, n)
			n++
		}
	}
}

// text returns the statement and its arguments.
func (in *insertion) text(expected ExpectedVersion) (string, []any) {
	var b strings.Builder
	var args []any
	row := "(?, ?, ?, ?, ?)"
	if in.several {
		b.WriteString("INSERT INTO $all (stream, type, payload, metadata, tags, id) VALUES ")
		row = "(?, ?, ?, ?, ?, ?)"
	} else {
		b.WriteString("INSERT INTO ? (type, payload, metadata, tags, id) VALUES ")
		args = append(args, in.stream)
	}
	for i, e := range in.events {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(row)
		if in.several {
			args = append(args, in.streams[i])
		}
		args = append(args, e.Type, nullable(e.Payload), nullable(e.Metadata), Tags(e.Tags), nil)
		if e.ID != uuid.Nil {
			args[len(args)-1] = e.ID
		}
	}
	args = in.expect(&b, args, expected)
	return b.String(), args
}

// expect writes the expectations. NO STREAM is written as words, because as an argument it would
// stand for what was read, and promise that reading again may help.
func (in *insertion) expect(b *strings.Builder, args []any, expected ExpectedVersion) []any {
	before := " EXPECTING "
	if v, exact := expected.Version(); exact {
		b.WriteString(before + "VERSION ?")
		args = append(args, int64(v))
		before = ", "
	} else if expected != Any {
		b.WriteString(before + strings.ToUpper(expected.String()))
		before = ", "
	}
	for _, g := range in.guards {
		b.WriteString(before + "NO EVENT FROM $all WHERE " + g.Filter.condition() + " AFTER ?")
		args = append(append(args, g.Filter.args...), int64(g.After))
		before = ", "
	}
	return args
}

// nullable is nil, which is NULL, for bytes that are not there.
func nullable(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

// run runs the statement. Whether a *sql.Conn is in a transaction only the statement finds out,
// which is then refused before anything is done.
func (in *insertion) run(ctx context.Context, db Querier, expected ExpectedVersion) (Appended, error) {
	text, args := in.text(expected)
	if !inTransaction(db) {
		a, err := in.returning(ctx, db, text+" RETURNING version, position, id, duplicate, recorded_at", args)
		if !errors.Is(err, ErrStatement) {
			return a, err
		}
	}
	return in.returning(ctx, db, text+" RETURNING version", args)
}

// returning runs the statement and reads what it returns: versions, and behind them, unless it is in
// a transaction, what the store has assigned. When there are rows the append has been made, so that
// what fails then, such as the context, leaves its outcome unknown to the caller.
func (in *insertion) returning(ctx context.Context, db Querier, text string, args []any) (a Appended, err error) {
	rows, err := db.QueryContext(ctx, text, args...)
	if err != nil {
		return Appended{}, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	for err == nil && rows.Next() {
		err = in.place(rows, len(columns), &a)
	}
	if err == nil {
		err = rows.Err()
	}
	if err == nil && len(a.Events) != len(in.events) {
		err = fmt.Errorf("%d of %d events were told", len(a.Events), len(in.events))
	}
	if err != nil {
		return Appended{}, fault(ErrOutcomeUnknown, "append",
			"the append has been made, and where its events are was not told: %w", err)
	}
	return a, nil
}

// place adds what a row says of the next event.
func (in *insertion) place(rows *sql.Rows, columns int, a *Appended) error {
	if len(a.Events) == len(in.events) {
		return errors.New("more events were told than were given")
	}
	p := Placed{Position: NoPosition, Version: NoVersion, ID: in.events[len(a.Events)].ID}
	var version sql.Null[Version]
	to := []any{&version, &p.Position, &p.ID, &a.Duplicate, &a.RecordedAt}
	if err := rows.Scan(to[:min(columns, len(to))]...); err != nil {
		return err
	}
	if version.Valid {
		p.Version = version.V
	}
	a.Events = append(a.Events, p)
	return nil
}
