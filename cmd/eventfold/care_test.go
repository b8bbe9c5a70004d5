package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/assert"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/shred"
)

// allOf returns all events of a store.
func allOf(dsn string) (all []eventfold.Event, err error) {
	db, err := sql.Open("eventfold", "file:"+dsn+"?mode=ro")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.Query("SELECT event FROM $all")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var e eventfold.Event
		if err := rows.Scan(&e); err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, rows.Err()
}

// same STORE OTHER fails unless both have the same events, with all that there is of them.
func same(ts *testscript.TestScript, neg bool, args []string) {
	a, err := allOf(ts.MkAbs(args[0]))
	ts.Check(err)
	b, err := allOf(ts.MkAbs(args[1]))
	ts.Check(err)
	if assert.ObjectsAreEqual(a, b) == neg {
		ts.Fatalf("%s and %s: %v\n%v", args[0], args[1], a, b)
	}
}

// spoil FILE changes a byte of each page behind the first.
func spoil(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	for i := 4096 + 100; i < min(len(b), 4096+1200); i += 400 {
		b[i] ^= 0xff
	}
	ts.Check(os.WriteFile(path, b, 0o600))
}

// seal KEYRING EPOCHS SUBJECT... makes a keyring with keys for subjects.
func seal(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(makeKeyring(ts.MkAbs(args[0]), ts.MkAbs(args[1]), args[2:]...))
}

func makeKeyring(dir, epochsDir string, subjects ...string) error {
	epochs, err := shred.OpenEpochFiles(epochsDir, "")
	if err != nil {
		return err
	}
	keys, err := shred.OpenFile(context.Background(), shred.FileOptions{Dir: dir, Epochs: epochs, Create: true})
	if err != nil {
		return err
	}
	for _, subject := range subjects {
		if _, err := keys.Key(context.Background(), subject, true); err != nil {
			return errors.Join(err, keys.Close())
		}
	}
	return keys.Close()
}

// project STORE FILE NAME runs a projection that refuses events of the type Odd, until it has read
// everything.
func project(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(runProjection(ts.MkAbs(args[0]), ts.MkAbs(args[1]), args[2]))
}

// runProjection runs a projection of a store with three events, which refuses those of the type Odd.
func runProjection(store, file, name string) error {
	db, err := sql.Open("eventfold", store)
	if err != nil {
		return err
	}
	defer db.Close()
	target, err := sql.Open("sqlite", file)
	if err != nil {
		return err
	}
	defer target.Close()
	target.SetMaxOpenConns(1)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() { // ends with ctx
		ended <- eventfold.Project(ctx, db, eventfold.Projection{
			Name: name, Version: 1, Target: target, Attempts: 1, OnFailure: eventfold.Park,
			Setup:  eventfold.Statements(),
			Handle: refuseOdd,
		})
	}()
	for {
		list, err := eventfold.Projections(ctx, target)
		if err == nil && len(list) > 0 && list[0].Next == 3 {
			break
		}
		select {
		case err := <-ended:
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
	cancel()
	<-ended
	return nil
}

func refuseOdd(_ context.Context, _ *sql.Tx, d eventfold.Delivery) error {
	if d.Type == "Odd" {
		return errors.New("it is odd")
	}
	return nil
}

// runWriter is for tests: writer DSN appends until it is killed, and prints the position of the last
// event that each append has been acknowledged for. Now and then it erases one.
func runWriter() {
	db, err := sql.Open("eventfold", os.Args[1])
	for n := 0; err == nil; n++ {
		var result sql.Result
		result, err = db.Exec(`INSERT INTO "s-1" (type, payload) VALUES ('A', ?), ('B', NULL)`, fmt.Sprintf(`{"n":%d}`, n))
		if err == nil && n%97 == 50 {
			_, err = db.Exec(`ERASE FROM "s-1" WHERE type = 'A' AND version = ? REASON 'test'`, n)
		}
		if err == nil {
			last, _ := result.LastInsertId()
			_, err = fmt.Println(last)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
