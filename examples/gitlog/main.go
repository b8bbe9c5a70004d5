// Gitlog reads the history of a git repository into an event store, one stream per author, and
// prints a report with SQL. A commit's event id is made of its hash, so running it again appends
// only what is new.
//
//	go run ./examples/gitlog [-store directory] [-repository directory]
package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"

	_ "github.com/eventfold/eventfold"
)

func main() {
	repository := flag.String("repository", ".", "a directory inside the git `repository` to read")
	store := flag.String("store", "",
		"the `directory` of the event store (default: one per repository in the user's cache)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *store, *repository, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, store, repository string, out io.Writer) error {
	if store == "" {
		var err error
		if store, err = defaultStore(repository); err != nil {
			return err
		}
	}
	db, err := sql.Open("eventfold", store)
	if err != nil {
		return err
	}
	defer db.Close()

	read, appended, err := load(ctx, db, repository)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: %d commits read, %d new events appended\n", store, read, appended)
	return report(ctx, db, out)
}

// defaultStore keeps one store per repository where the user's other caches are.
func defaultStore(repository string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir() // a machine without a home directory
	}
	path, err := filepath.Abs(repository)
	if err != nil {
		return "", err
	}
	cache = filepath.Join(cache, "eventfold-gitlog")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(path))
	return filepath.Join(cache, fmt.Sprintf("%s-%x", filepath.Base(path), sum[:4])), nil
}
