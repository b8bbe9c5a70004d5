package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/urfave/cli/v3"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/cmd/eventfold/internal/transfer"
	"github.com/eventfold/eventfold/engine"
)

func appendCommand() *cli.Command {
	return &cli.Command{
		Name:      "append",
		Usage:     "append events that come as lines of JSON",
		ArgsUsage: "[STORE] [STREAM]",
		Description: "Reads one event from each line of standard input, such as\n\n" +
			`   {"stream": "order-1", "type": "Placed", "payload": {"total": 3}, "tags": ["vip"], "id": "..."}` + "\n\n" +
			"and appends it. Only type is required, and stream unless STREAM names it; metadata is the other\n" +
			"field. What the store assigns (position, version, recorded_at) is passed over, so that the rows of\n" +
			"a query may be appended elsewhere. Events with ids are appended once, however often it is tried.",
		Flags: []cli.Flag{
			storeFlag(),
			&cli.StringFlag{
				Name: "expect", Value: "any",
				Usage: "at which `VERSION` the stream must be: any, none, exists, or a number",
			},
			&cli.IntFlag{
				Name: "batch", Value: 500,
				Usage: "append at most `N` events together, all of them or none; 0 is everything",
			},
			&cli.BoolFlag{Name: "create", Usage: "make the store if it is not there"},
			&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "tell the position of each event"},
		},
		Action: runAppend,
	}
}

// An incoming is an event as a line of the input has it.
type incoming struct {
	Stream   string          `json:"stream"`
	Type     string          `json:"type"`
	Payload  json.RawMessage `json:"payload"`
	Metadata json.RawMessage `json:"metadata"`
	Tags     []string        `json:"tags"`
	ID       string          `json:"id"`

	// Passed over.
	Position   any `json:"position"`
	Version    any `json:"version"`
	RecordedAt any `json:"recorded_at"`

	line  int // of the input, from 1
	size  int // how many bytes it takes in an append, at least
	event eventfold.NewEvent
}

// make makes the event of what was read.
func (e *incoming) make() (err error) {
	e.event = eventfold.NewEvent{Type: e.Type, Payload: e.Payload, Metadata: e.Metadata, Tags: e.Tags}
	if bytes.Equal(e.Payload, []byte("null")) {
		e.event.Payload = nil
	}
	if bytes.Equal(e.Metadata, []byte("null")) {
		e.event.Metadata = nil
	}
	if e.ID != "" {
		e.event.ID, err = uuid.Parse(e.ID)
	}
	e.size = len(e.event.ID) + len(e.event.Payload) + len(e.event.Metadata)
	return err
}

// An appending is one run of append.
type appending struct {
	c        *cli.Command
	conn     *sql.Conn
	stream   string             // that of the argument, "" for none
	expected engine.Expectation // of the next batch; nil is any version
	follows  bool               // the next batch expects what this one has left
	batch    int                // 0 is everything
	total    appendTotal
	progress *progress
	out      *bufio.Writer
}

// An appendTotal is what append tells in the end.
type appendTotal struct {
	Events     int64 `json:"events"`
	Duplicates int64 `json:"duplicates"` // stored already
	First      int64 `json:"first_position"`
	Last       int64 `json:"last_position"` // -1 if there is none
}

func runAppend(ctx context.Context, c *cli.Command) (err error) {
	store, args, err := storeArguments(c, "[STREAM]")
	if err != nil {
		return err
	}
	a := &appending{c: c, batch: c.Int("batch"), total: appendTotal{First: -1, Last: -1}}
	if len(args) == 1 {
		a.stream = args[0]
	}
	if err := a.readFlags(); err != nil {
		return err
	}
	mode := eventfold.ReadWrite
	if c.Bool("create") {
		mode = eventfold.ReadWriteCreate
	}
	db, err := openStore(store, mode, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if a.conn, err = db.Conn(ctx); err != nil {
		return err
	}
	defer a.conn.Close()
	a.out = bufio.NewWriter(c.Root().Writer)
	a.progress = newProgress(c, "append", "events", 0)
	err = a.readAll(ctx, a.progress.reading(c.Root().Reader))
	a.progress.end()
	if failed := a.out.Flush(); err == nil {
		err = failed
	}
	if err != nil {
		return a.soFar(err)
	}
	if c.Bool("json") {
		return nil // each event has been told
	}
	return tell(c.Root().Writer, false, nil, "%s", &a.total)
}

// soFar says what is stored although the rest is not.
func (a *appending) soFar(err error) error {
	if a.total.Events+a.total.Duplicates == 0 {
		return err
	}
	return fmt.Errorf("%w (%s before it: %s)", err, plural(a.total.Events+a.total.Duplicates, "event"), &a.total)
}

// readFlags reads --expect and --batch.
func (a *appending) readFlags() error {
	if a.batch < 0 {
		return usage("--batch is 0, which is everything, or more")
	}
	switch text := strings.ToLower(a.c.String("expect")); text {
	case "any":
		return nil
	case "none":
		a.expected, a.follows = eventfold.NoStream, true
	case "exists":
		a.expected = eventfold.StreamExists
	default:
		n, ok := literal(text).(int64)
		if !ok || n < 0 {
			return usage("--expect is any, none, exists, or the version of the last event of the stream, not %q", text)
		}
		a.expected, a.follows = eventfold.Exact(eventfold.Version(n)), true
	}
	if a.stream == "" {
		return usage("--expect %s is about one stream: name it as the last argument", a.c.String("expect"))
	}
	return nil
}

// idle is how long a batch that is not full waits for another event.
const idle = 50 * time.Millisecond

// A batch is at most so large, so that it is far from what an append may have, and what waits for one
// in memory is bounded, too: by waiting events beside the batch.
const (
	largestBatch = 8 << 20 // bytes
	waiting      = 64      // events
)

// readAll appends all events of the input.
func (a *appending) readAll(ctx context.Context, in io.Reader) error {
	events := make(chan *incoming, waiting)
	failed := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in = interruptible(ctx, in)
	go func() { // ended by the end of the input or by cancel
		defer close(events)
		failed <- a.readEvents(ctx, in, events)
	}()
	for {
		batch, more := a.gather(ctx, events)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var err error
		if !more { // what cannot be read keeps the batch in front of it from nothing
			if err = <-failed; err != nil && a.batch == 0 {
				return err
			}
		}
		if len(batch) > 0 {
			if failure := a.appendBatch(ctx, batch); failure != nil {
				return failure
			}
			_ = a.out.Flush() // an error comes again at the end
		}
		if !more {
			return err
		}
	}
}

// gather waits for an event and takes those that come soon after, as many as a batch has. more is
// false behind the last one. If everything is to be one batch, it is what an append may have, and one
// event more, so that the store refuses it.
func (a *appending) gather(ctx context.Context, events <-chan *incoming) (batch []*incoming, more bool) {
	var quiet <-chan time.Time // nil until there is an event, and if everything is one batch
	most, size := largestBatch, 0
	if a.batch == 0 {
		most = engine.MaxAppendSize
	}
	for size < most && (a.batch == 0 || len(batch) < a.batch) {
		select {
		case e, ok := <-events:
			if !ok {
				return batch, false
			}
			batch, size = append(batch, e), size+e.size
			if a.batch > 0 {
				quiet = time.After(idle)
			}
		case <-quiet:
			return batch, true
		case <-ctx.Done():
			return nil, false
		}
	}
	return batch, true
}

// readEvents reads lines until there are no more.
func (a *appending) readEvents(ctx context.Context, in io.Reader, events chan<- *incoming) error {
	lines := transfer.NewLineReader(in)
	for n := 1; ; n++ {
		line, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var e *incoming
		if err == nil {
			e, err = a.readEvent(line)
		}
		if err != nil {
			return fmt.Errorf("line %d of the input: %w", n, err)
		}
		e.line = n
		select {
		case events <- e:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// readEvent reads one line.
func (a *appending) readEvent(line []byte) (*incoming, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	e := &incoming{}
	if err := d.Decode(e); err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	if d.More() {
		return nil, errors.New("there is more than one event")
	}
	switch {
	case e.Stream == "":
		e.Stream = a.stream
	case a.stream != "" && e.Stream != a.stream:
		return nil, fmt.Errorf("the event is of the stream %q, not of %q", e.Stream, a.stream)
	}
	switch {
	case e.Stream == "":
		return nil, errors.New(`"stream" is missing, and no argument names the stream`)
	case e.Type == "":
		return nil, errors.New(`"type" is missing`)
	}
	return e, e.make()
}

// appendBatch appends a batch. If some of it is stored already, its events are appended one by one:
// then each of them is either new or stored.
func (a *appending) appendBatch(ctx context.Context, batch []*incoming) error {
	err := a.appendTogether(ctx, batch)
	if !errors.Is(err, eventfold.ErrDuplicateEvent) || len(batch) == 1 || a.batch == 0 {
		return atLine(err, batch)
	}
	for _, e := range batch {
		if err := a.appendTogether(ctx, []*incoming{e}); err != nil {
			return atLine(err, []*incoming{e})
		}
	}
	return nil
}

// atLine says which lines of the input an error is about.
func atLine(err error, batch []*incoming) error {
	first, last := batch[0].line, batch[len(batch)-1].line
	switch {
	case err == nil:
		return nil
	case first == last:
		return fmt.Errorf("line %d of the input: %w", first, err)
	}
	return fmt.Errorf("lines %d to %d of the input: %w", first, last, err)
}

// appendTogether appends events, all of them or none, and tells where they are.
func (a *appending) appendTogether(ctx context.Context, batch []*incoming) error {
	var appends []eventfold.Append
	for _, e := range batch {
		n := len(appends) - 1
		if n < 0 || appends[n].Stream != e.Stream {
			appends, n = append(appends, eventfold.Append{Stream: e.Stream}), n+1
		}
		appends[n].Events = append(appends[n].Events, e.event)
	}
	if a.expected != nil {
		appends[0].Expect = append(appends[0].Expect, a.expected)
	}
	var done eventfold.Appended
	err := a.conn.Raw(func(c any) (err error) {
		done, err = c.(*eventfold.Conn).Store().Append(ctx, appends...)
		return err
	})
	if err != nil {
		return err
	}
	for i, e := range batch {
		a.take(e, done.Events[i], done.Duplicate)
	}
	if last := done.Events[len(batch)-1]; a.follows {
		a.expected = eventfold.Exact(last.Version)
	}
	return nil
}

// take notes what has become of an event, and tells it. That this cannot be told, such as to head,
// which has seen enough, does not keep the other events from being appended: what was written to out
// in vain is an error when out is flushed at the end.
func (a *appending) take(e *incoming, at engine.Placed, duplicate bool) {
	position := int64(at.Position)
	if duplicate {
		a.total.Duplicates++
	} else {
		if a.total.Events == 0 {
			a.total.First = position
		}
		a.total.Events, a.total.Last = a.total.Events+1, position
	}
	a.progress.add(1)
	if !a.c.Bool("json") && !a.c.Bool("verbose") {
		return
	}
	line := struct {
		Position  int64  `json:"position"`
		Stream    string `json:"stream"`
		Version   int64  `json:"version"`
		ID        string `json:"id"`
		Duplicate bool   `json:"duplicate"`
	}{position, e.Stream, int64(at.Version), at.ID.String(), duplicate}
	_ = tell(a.out, a.c.Bool("json"), line, "%d  %s@%d  %s%s", position, e.Stream, line.Version, line.ID,
		map[bool]string{true: "  stored already"}[duplicate])
}

// String says it in a sentence.
func (t *appendTotal) String() string {
	text := plural(t.Events, "event") + " appended"
	switch {
	case t.Events == 1:
		text += fmt.Sprintf(", at position %d", t.First)
	case t.Events > 1:
		text += fmt.Sprintf(", at positions %d to %d", t.First, t.Last)
	}
	if t.Duplicates > 0 {
		text += fmt.Sprintf(", %d stored already", t.Duplicates)
	}
	return text
}
