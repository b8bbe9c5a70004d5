// Gdpr does what a customer may ask for, in both ways: what stands in events in plain text is
// erased, and what was sealed is forgotten with its key. Then it looks for the customer in every
// file: of the store, its backup, the keyring and the epoch keys.
//
//	go run ./examples/gdpr
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/shred"
)

func main() {
	dir, err := os.MkdirTemp("", "gdpr")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := run(context.Background(), dir, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, dir string, out io.Writer) (err error) {
	// A program keeps these on different disks, and never in one backup.
	epochs, err := shred.OpenEpochFiles(filepath.Join(dir, "epochs"), "")
	if err != nil {
		return err
	}
	keys, err := shred.OpenFile(ctx, shred.FileOptions{Dir: filepath.Join(dir, "keys"), Epochs: epochs, Create: true})
	if err != nil {
		return err
	}
	db := eventfold.OpenDB(eventfold.Config{Path: filepath.Join(dir, "store"), Keyring: keys, Actor: "dpo"})
	s := &shop{db: db, keys: keys}
	defer func() { err = errors.Join(err, db.Close(), keys.Close()) }()

	for _, c := range customers {
		if err := errors.Join(s.register(ctx, c), s.ship(ctx, c)); err != nil {
			return err
		}
	}
	backup := filepath.Join(dir, "backup")
	if _, err := db.ExecContext(ctx, `BACKUP TO ?`, backup); err != nil {
		return err
	}
	if err := search(out, "before", dir); err != nil {
		return err
	}
	if err := s.erase(ctx, out, customers[0]); err != nil {
		return err
	}
	// The backup of before has the plain text until the next one takes its place.
	if _, err := db.ExecContext(ctx, `BACKUP TO ?`, backup); err != nil {
		return err
	}
	if err := s.report(ctx, out); err != nil {
		return err
	}
	return search(out, "after", dir)
}

// search tells for each customer in which directories the name, the address and the street are.
func search(out io.Writer, when, dir string) error {
	for _, c := range customers {
		for _, text := range []string{c.Name, c.Email, c.Street} {
			places, err := find(dir, text)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "%s: %s is in %v\n", when, text, places)
		}
	}
	return nil
}
