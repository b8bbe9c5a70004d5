// Outbox publishes the events of a store, each exactly once and in their order: to a file, line by
// line, or with POST to a URL, each with its id as Idempotency-Key. There is no table of messages:
// the log is the outbox, and a position says what was published.
//
// The last line of the file is the checkpoint, so that line and checkpoint cannot differ; a line
// that was written by half is cut off. A server remembers for the program: the checkpoint is in a
// file beside, and what is sent again after a crash has a key that the server has seen.
//
//	go run ./examples/outbox -store directory -file published.ndjson
//	go run ./examples/outbox -store directory -url http://localhost:8080/events -checkpoint next
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/eventfold/eventfold"
)

func main() {
	store := flag.String("store", os.TempDir()+"/eventfold-outbox", "the `directory` of the event store")
	file := flag.String("file", "", "the `file` to publish to")
	url := flag.String("url", "", "the `address` to publish to")
	checkpoint := flag.String("checkpoint", "outbox.next", "with -url, the `file` that keeps the next position")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	to, err := openSink(*file, *url, *checkpoint)
	if err == nil {
		err = run(ctx, *store, to)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
}

// A sink is where events are published.
type sink interface {
	next() int64 // the position of the first event that was not published
	publish(ctx context.Context, m message) error
	Close() error
}

// A message is an event as others see it.
type message struct {
	Position   int64           `json:"position"`
	ID         string          `json:"id"`
	Stream     string          `json:"stream"`
	Type       string          `json:"type"`
	RecordedAt time.Time       `json:"recorded_at"`
	Payload    json.RawMessage `json:"payload"` // null where it was erased, or is no JSON
}

func openSink(file, url, checkpoint string) (sink, error) {
	switch {
	case (file == "") == (url == ""):
		return nil, errors.New("give either -file or -url")
	case file != "":
		return openFile(file)
	}
	return openServer(url, checkpoint)
}

// run publishes what is not published, and then what comes, until ctx ends, which is the error it
// then returns.
func run(ctx context.Context, store string, to sink) (err error) {
	defer func() { err = errors.Join(err, to.Close()) }()
	db, err := sql.Open("eventfold", store+"?mode=ro")
	if err != nil {
		return err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, `SELECT event FROM $all WHERE position >= ? FOLLOW`, to.next())
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var e eventfold.Event
		if err := rows.Scan(&e); err != nil {
			return err
		}
		m := message{int64(e.Position), e.ID.String(), e.Stream, e.Type, e.RecordedAt, nil}
		if e.JSON {
			m.Payload = e.Payload
		}
		if err := to.publish(ctx, m); err != nil {
			return err
		}
	}
	return rows.Err()
}
