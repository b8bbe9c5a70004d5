package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/jetstream"
)

// A side is a log that is compared with another one: a store in a directory, or a bucket as its servers
// have it.
type side struct {
	name string
	db   *sql.DB // nil for a bucket
	dsn  string
	head engine.Head // of a store; of a bucket only the position, when its events are read

	bucket jetstream.Config
}

// openSide opens a log for reading.
func openSide(ctx context.Context, dsn string) (_ *side, err error) {
	s := &side{name: dsn, dsn: dsn}
	if isCluster(dsn) {
		s.name = bucketName(dsn)
		s.bucket, err = bucketConfig(dsn)
		return s, err
	}
	if s.db, err = openStore(dsn, eventfold.ReadOnly, ""); err != nil {
		return nil, err
	}
	var text string
	if text, err = headOf(ctx, s.db); err == nil {
		s.head, err = parseHead(text)
	}
	if err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	return s, nil
}

func (s *side) close() {
	if s.db != nil {
		s.db.Close()
	}
}

// holds reports whether a receipt holds for the store.
func (s *side) holds(ctx context.Context, receipt engine.Head) (bool, error) {
	config, err := storeConfig(s.dsn, eventfold.ReadOnly)
	if err != nil {
		return false, err
	}
	config.Expect = receipt
	db := eventfold.OpenDB(config)
	defer db.Close()
	err = db.PingContext(ctx)
	if errors.As(err, new(*eventfold.HeadError)) {
		return false, nil
	}
	return err == nil, err
}

// events reads the events of a log, of a store up to its head.
func (s *side) events(ctx context.Context) iter.Seq2[eventfold.Event, error] {
	if s.db == nil {
		return jetstream.Read(ctx, s.bucket, func(all engine.Position) { s.head.Position = all })
	}
	return func(yield func(eventfold.Event, error) bool) {
		rows, err := s.db.QueryContext(ctx, "SELECT event FROM $all WHERE position < ?", int64(s.head.Position))
		if err != nil {
			yield(eventfold.Event{}, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			var e eventfold.Event
			if err := rows.Scan(&e); !yield(e, err) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(eventfold.Event{}, err)
		}
	}
}

// A compared tells how a log compares with another one.
type compared struct {
	With     string `json:"with"`
	Same     int64  `json:"same"`                   // so many events, from the first one on
	Receipt  string `json:"same_receipt,omitempty"` // that holds for both
	Ahead    int64  `json:"ahead"`                  // events behind these that the other one has not
	Behind   int64  `json:"behind"`                 // events behind these that the other one has
	Redacted int64  `json:"erased_in_one"`          // events of which one has the content and the other has not
}

// String says it in sentences.
func (r compared) String() string {
	text := "the " + events(r.Same) + " are those of " + r.With
	if r.Ahead > 0 {
		text = fmt.Sprintf("the first %s are those of %s, which has no more", events(r.Same), r.With)
	}
	switch {
	case r.Same == 0:
		text = "no event is in both"
	case r.Receipt != "":
		text += ", and so is the receipt " + r.Receipt
	default:
		text += ", one by one"
	}
	if r.Behind > 0 {
		text += fmt.Sprintf("\n%s has %d more", r.With, r.Behind)
	}
	if r.Redacted > 0 {
		text += fmt.Sprintf("\nthe content of %s is erased in one of them", events(r.Redacted))
	}
	return text
}

// compare compares two logs: by their receipts, or else event by event.
func compare(ctx context.Context, c *cli.Command, a, b *side) (r compared, err error) {
	r.With = b.name
	if a.db != nil && b.db != nil {
		shorter, longer := a, b
		if b.head.Position < a.head.Position {
			shorter, longer = b, a
		}
		same, err := longer.holds(ctx, shorter.head)
		if err != nil {
			return r, err
		}
		if same || shorter.head.Position == 0 {
			n := shorter.head.Position
			r.Same, r.Receipt = int64(n), headText(shorter.head)
			r.Ahead, r.Behind = int64(a.head.Position-n), int64(b.head.Position-n)
			return r, nil
		}
	}
	return r, compareEvents(ctx, c, a, b, &r)
}

// compareEvents compares two logs event by event, as far as both go.
func compareEvents(ctx context.Context, c *cli.Command, a, b *side, r *compared) error {
	progress := newProgress(c, "compare", "events", 0)
	defer progress.end()
	nextA, stopA := iter.Pull2(a.events(ctx))
	defer stopA()
	nextB, stopB := iter.Pull2(b.events(ctx))
	defer stopB()
	for ; ; r.Same++ {
		ea, errA, moreA := nextA()
		eb, errB, moreB := nextB()
		if err := errors.Join(errA, errB); err != nil {
			return err
		}
		if !moreA || !moreB {
			break
		}
		other := difference(&ea, &eb)
		if len(other) > 0 {
			return errDamaged{fmt.Errorf("%s and %s differ from position %d on: %s",
				a.name, b.name, r.Same, strings.Join(other, ", "))}
		}
		if ea.Redacted != eb.Redacted {
			r.Redacted++
		}
		progress.total(int64(max(a.head.Position, b.head.Position)))
		progress.set(r.Same + 1)
	}
	r.Ahead, r.Behind = int64(a.head.Position)-r.Same, int64(b.head.Position)-r.Same
	return nil
}

// difference names what two events differ in. What one of them has erased is not compared.
func difference(a, b *eventfold.Event) (names []string) {
	if a.ID != b.ID {
		return []string{fmt.Sprintf("the event is %s in the one and %s in the other", a.ID, b.ID)}
	}
	erased := a.Redacted || b.Redacted
	for _, column := range []struct {
		name string
		same bool
	}{
		{"position", a.Position == b.Position},
		{"stream", a.Stream == b.Stream},
		{"version", a.Version == b.Version},
		{"type", a.Type == b.Type},
		{"tags", slices.Equal(a.Tags, b.Tags)},
		{"recorded_at", a.RecordedAt.Equal(b.RecordedAt)},
		{"payload", erased || bytes.Equal(a.Payload, b.Payload) && (a.Payload == nil) == (b.Payload == nil)},
		{"metadata", erased || bytes.Equal(a.Metadata, b.Metadata)},
	} {
		if !column.same {
			names = append(names, column.name)
		}
	}
	if len(names) > 0 {
		return []string{fmt.Sprintf("of event %s %s", a.ID, strings.Join(names, ", "))}
	}
	return nil
}

// verifyAgainst compares a store with another one.
func verifyAgainst(ctx context.Context, c *cli.Command, dsn, with string) (*compared, error) {
	a, err := openSide(ctx, dsn)
	if err != nil {
		return nil, err
	}
	defer a.close()
	b, err := openSide(ctx, with)
	if err != nil {
		return nil, err
	}
	defer b.close()
	r, err := compare(ctx, c, a, b)
	if err != nil {
		return nil, err
	}
	return &r, nil
}

// verifyBucket reads every event that the servers of a bucket have, and checks it.
func verifyBucket(ctx context.Context, c *cli.Command, dsn string) error {
	if c.IsSet("receipt") {
		return usage("a receipt holds for the directory of a node: name that")
	}
	if c.IsSet("against") {
		r, err := verifyAgainst(ctx, c, dsn, c.String("against"))
		if err != nil {
			return err
		}
		return tell(c.Root().Writer, c.Bool("json"), map[string]any{"events": r.Same + r.Ahead, "against": r}, "%s", r)
	}
	s, err := openSide(ctx, dsn)
	if err != nil {
		return err
	}
	progress := newProgress(c, "verify", "events", 0)
	defer progress.end()
	n := int64(0)
	for _, err := range s.events(ctx) {
		if err != nil {
			return err
		}
		n++
		progress.total(int64(s.head.Position))
		progress.set(n)
	}
	progress.end()
	result := struct {
		Events int64  `json:"events"`
		Bucket string `json:"bucket"`
	}{n, s.bucket.Bucket}
	return tell(c.Root().Writer, c.Bool("json"), result, "%s of %s checked", events(n), s.name)
}
