package eventfold_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold"
)

func Example() {
	dir, err := os.MkdirTemp("", "eventfold")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	db, err := sql.Open("eventfold", filepath.Join(dir, "bank"))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	_, err = db.Exec(`INSERT INTO "account-7" (type, payload) VALUES (?, ?), (?, ?) EXPECTING NO STREAM`,
		"Opened", `{}`, "Deposited", `{"amount": 40}`)
	if err != nil {
		log.Fatal(err)
	}

	rows, err := db.Query(`SELECT version, type, payload FROM "account-7"`)
	if err != nil {
		log.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var version int64
		var kind, payload string
		if err := rows.Scan(&version, &kind, &payload); err != nil {
			log.Fatal(err)
		}
		fmt.Println(version, kind, payload)
	}
	if err := rows.Err(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 0 Opened {}
	// 1 Deposited {"amount": 40}
}

// A writer that has read version 0 is told when somebody else was faster.
func ExampleConflictError() {
	db, _ := sql.Open("eventfold", ":memory:")
	defer db.Close()
	withdraw := func() error {
		_, err := db.Exec(`INSERT INTO "account-7" (type) VALUES ('Withdrawn') EXPECTING VERSION 0`)
		return err
	}
	db.Exec(`INSERT INTO "account-7" (type) VALUES ('Opened')`)
	fmt.Println(withdraw())
	err := withdraw()
	fmt.Println(errors.Is(err, eventfold.ErrVersionConflict))
	var conflict *eventfold.ConflictError
	if errors.As(err, &conflict) {
		check := conflict.Checks[0]
		fmt.Println(check.Stream, check.Expected, check.Actual)
	}
	// Output:
	// <nil>
	// true
	// account-7 version 0 1
}

// Everything in a transaction is one append, over any number of streams.
func Example_transaction() {
	db, _ := sql.Open("eventfold", ":memory:")
	defer db.Close()
	transfer := func() error {
		tx, err := db.Begin()
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if _, err := tx.Exec(`
			INSERT INTO "account-1" (type, payload) VALUES ('Sent', '{"amount": 5}')`); err != nil {
			return err
		}
		if _, err := tx.Exec(`
			INSERT INTO "account-2" (type, payload) VALUES ('Received', '{"amount": 5}')`); err != nil {
			return err
		}
		return tx.Commit()
	}
	fmt.Println(transfer())
	var events int
	db.QueryRow(`SELECT COUNT(*) FROM $all`).Scan(&events)
	fmt.Println(events)
	// Output:
	// <nil>
	// 2
}

// An event id makes an append safe to repeat.
func Example_retry() {
	db, _ := sql.Open("eventfold", ":memory:")
	defer db.Close()
	id := uuid.MustParse("0190e5a6-0000-7000-8000-000000000001")
	for range 2 {
		result, err := db.Exec(`INSERT INTO "order-1" (id, type) VALUES (?, 'Placed') EXPECTING NO STREAM`, id)
		if err != nil {
			log.Fatal(err)
		}
		position, _ := result.LastInsertId()
		written, _ := result.RowsAffected()
		fmt.Println("position", position, "written", written)
	}
	// Output:
	// position 0 written 1
	// position 0 written 0
}

// Rows of a FOLLOW go on with new events until the context ends.
func Example_follow() {
	db, _ := sql.Open("eventfold", ":memory:")
	defer db.Close()
	db.Exec(`INSERT INTO "order-1" (type) VALUES ('Placed')`)

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	rows, err := db.QueryContext(ctx, `SELECT position, type FROM $all WHERE position >= ? FOLLOW`, 0)
	if err != nil {
		log.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var position int64
		var kind string
		if err := rows.Scan(&position, &kind); err != nil {
			log.Fatal(err)
		}
		fmt.Println(position, kind)
		if kind == "Paid" {
			cancel()
			continue
		}
		db.Exec(`INSERT INTO "order-1" (type) VALUES ('Paid')`)
	}
	fmt.Println(rows.Err())
	// Output:
	// 0 Placed
	// 1 Paid
	// context canceled
}

// The pseudo-column event is the whole event, and costs less than its columns.
func ExampleEvent() {
	db, _ := sql.Open("eventfold", ":memory:")
	defer db.Close()
	db.Exec(`INSERT INTO "order-1" (type, payload, tags) VALUES ('Placed', ?, ?)`,
		eventfold.JSON(map[string]int{"total": 42}), []string{"customer:7"})
	var e eventfold.Event
	if err := db.QueryRow(`SELECT event FROM $all WHERE HAS(tags, 'customer:7')`).Scan(&e); err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.Stream, e.Version, e.Type, string(e.Payload), e.Tags)
	// Output: order-1 0 Placed {"total":42} [customer:7]
}

// Errors in a statement tell their place.
func ExampleError() {
	db, _ := sql.Open("eventfold", ":memory:")
	defer db.Close()
	_, err := db.Query("SELECT type,\n       payloat\nFROM $all")
	var e *eventfold.Error
	if errors.As(err, &e) {
		fmt.Println(e.Line, e.Column, e.SQLState(), errors.Is(err, eventfold.ErrUnknownColumn))
		fmt.Println(e.SQL)
	}
	// Output:
	// 2 8 42703 true
	//        payloat
	//        ^
}

func ExampleFormatDSN() {
	fmt.Println(eventfold.FormatDSN(eventfold.Config{Path: "what?", Mode: eventfold.ReadOnly}))
	// Output: file:what%3F?mode=ro
}

// Programs that replay millions of events read from the engine itself.
func ExampleConn() {
	ctx := context.Background()
	db, _ := sql.Open("eventfold", ":memory:")
	defer db.Close()
	db.Exec(`INSERT INTO "order-1" (type) VALUES ('Placed'), ('Paid')`)

	conn, err := db.Conn(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	err = conn.Raw(func(c any) error {
		cursor := c.(*eventfold.Conn).Store().ReadIndex().ReadAll(ctx, 0, 0)
		defer cursor.Close()
		for cursor.Next() {
			fmt.Println(cursor.Event().Position, cursor.Event().Type)
		}
		return cursor.Err()
	})
	fmt.Println(err)
	// Output:
	// 0 Placed
	// 1 Paid
	// <nil>
}
