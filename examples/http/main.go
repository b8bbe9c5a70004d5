// Http is a small shop over HTTP: orders are streams of events, a coupon is used once, whoever asks
// for it at the same moment, and the totals of customers are a projection in SQLite. A request with
// an Idempotency-Key may come again, and totals with ?position= have what was written there.
//
//	go run -C examples/http . [-listen address] [-data directory]
//	curl -d '{"customer": "ada", "total": 12, "coupon": "X7"}' localhost:8080/orders/1
//	curl -X POST localhost:8080/orders/1/pay
//	curl localhost:8080/orders/1 localhost:8080/customers localhost:8080/metrics
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/eventfold/eventfold"
	_ "modernc.org/sqlite"
)

func main() {
	listen := flag.String("listen", "localhost:8080", "the `address` to listen on")
	data := flag.String("data", os.TempDir(), "the `directory` for the store and the database")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	listener, err := net.Listen("tcp", *listen)
	if err == nil {
		err = run(ctx, listener, *data)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx ends, and then finishes what was begun, for ten seconds at most.
func run(ctx context.Context, listener net.Listener, data string) error {
	tables, err := sql.Open("sqlite", filepath.Join(data, "shop.sqlite")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	defer tables.Close()
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &shop{eventfold.OpenDB(eventfold.Config{Path: filepath.Join(data, "shop-events")}), tables, running}
	defer s.events.Close()
	server := &http.Server{Handler: s.routes()}

	ended := make(chan error, 2)
	go func() { defer cancel(); ended <- eventfold.Project(running, s.events, s.customers()) }() // ends with running
	go func() { defer cancel(); ended <- server.Serve(listener) }()                              // ends with Shutdown
	<-running.Done()
	soon, stop := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer stop()
	errs := []error{server.Shutdown(soon), server.Close(), <-ended, <-ended}
	for i, err := range errs {
		if errors.Is(err, context.Canceled) || errors.Is(err, http.ErrServerClosed) {
			errs[i] = nil // as it should be
		}
	}
	return errors.Join(errs...)
}
