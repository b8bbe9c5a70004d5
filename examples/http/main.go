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
	"encoding/json"
	"errors"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/metrics"
	_ "modernc.org/sqlite"
)

// The events of the shop. Each order is a stream, whose state is an order.
type (
	OrderPlaced struct {
		Customer string
		Total    int
		Coupon   string `json:",omitempty"`
	}
	OrderPaid struct{}
	order     struct {
		OrderPlaced
		Paid, placed bool
	}
)

func init() {
	eventfold.Register[OrderPlaced](eventfold.DefaultRegistry, "OrderPlaced")
	eventfold.Register[OrderPaid](eventfold.DefaultRegistry, "OrderPaid")
}

var foldOrder = eventfold.Typed(func(o order, event any) order {
	switch e := event.(type) {
	case OrderPlaced:
		o.OrderPlaced, o.placed = e, true
	case OrderPaid:
		o.Paid = true
	}
	return o
})

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

type shop struct {
	events, tables *sql.DB
	running        context.Context // ends with the projection
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
	return errors.Join(slices.DeleteFunc(errs, func(err error) bool { // as it should be
		return errors.Is(err, context.Canceled) || errors.Is(err, http.ErrServerClosed)
	})...)
}

func (s *shop) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics.Handler(s.events, metrics.Options{Projections: s.tables}))
	mux.Handle("POST /orders/{id}", answer(s.place))
	mux.Handle("POST /orders/{id}/pay", answer(s.pay))
	mux.Handle("GET /orders/{id}", answer(s.order))
	mux.Handle("GET /customers", answer(s.totals))
	return mux
}

// A refusal is a decision against what was asked.
type refusal string

func (r refusal) Error() string { return string(r) }

// An answer is JSON. A request that comes again with its key has the answer of the first time.
type answer func(ctx context.Context, r *http.Request) (any, error)

func (f answer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	if key := r.Header.Get("Idempotency-Key"); key != "" {
		ctx = eventfold.WithRequest(ctx, r.URL.Path+" "+key)
	}
	switch body, err := f(ctx, r); {
	case err == nil:
		_ = json.NewEncoder(w).Encode(body) // the client may be gone
	case errors.As(err, new(refusal)):
		http.Error(w, err.Error(), http.StatusConflict)
	default:
		http.Error(w, "it did not work", http.StatusInternalServerError)
	}
}

// place takes an order, and with it its coupon, if nobody has used that.
func (s *shop) place(ctx context.Context, r *http.Request) (any, error) {
	var e OrderPlaced
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<16)).Decode(&e); err != nil {
		return nil, refusal("an order is JSON: " + err.Error())
	}
	placed := eventfold.Draft{Stream: "order-" + r.PathValue("id"), Event: e}
	same := eventfold.Where("stream = ?", placed.Stream)
	if e.Coupon != "" {
		placed.Tags = []string{"coupon:" + e.Coupon}
		same = same.Or(eventfold.WithTags(placed.Tags...))
	}
	return eventfold.Decide(ctx, s.events, same, foldOrder, func(o order) ([]eventfold.Draft, error) {
		if o.placed {
			return nil, refusal("there is such an order, or the coupon is used")
		}
		return []eventfold.Draft{placed}, nil
	})
}

// pay notes that an order is paid, once.
func (s *shop) pay(ctx context.Context, r *http.Request) (any, error) {
	paid := eventfold.Draft{Stream: "order-" + r.PathValue("id"), Event: OrderPaid{}}
	its := eventfold.Where("stream = ?", paid.Stream)
	return eventfold.Decide(ctx, s.events, its, foldOrder, func(o order) ([]eventfold.Draft, error) {
		if o.Paid || !o.placed {
			return nil, refusal("there is no such order to be paid")
		}
		return []eventfold.Draft{paid}, nil
	})
}

func (s *shop) order(ctx context.Context, r *http.Request) (any, error) {
	o, _, err := eventfold.Load(ctx, s.events, "order-"+r.PathValue("id"), foldOrder)
	return o, err
}

// customers is the projection: what each customer has ordered.
func (s *shop) customers() eventfold.Projection {
	return eventfold.Projection{
		Name: "customers", Version: 1, Target: s.tables, Query: `SELECT event FROM $all WHERE type = 'OrderPlaced'`,
		Setup: eventfold.Statements(`DROP TABLE IF EXISTS customer`, `CREATE TABLE customer (name PRIMARY KEY, total)`),
		Handle: eventfold.HandleTyped(func(ctx context.Context, tx *sql.Tx, e OrderPlaced, _ eventfold.Delivery) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO customer VALUES (?, ?)
				ON CONFLICT (name) DO UPDATE SET total = total + excluded.total`, e.Customer, e.Total)
			return err
		}),
	}
}

// totals reads the projection, which has what was written at ?position= by then.
func (s *shop) totals(ctx context.Context, r *http.Request) (any, error) {
	at, _ := strconv.ParseInt(r.FormValue("position"), 10, 64)
	waiting, stop := context.WithTimeout(s.running, 5*time.Second) // nobody waits for what does not come
	defer stop()
	defer context.AfterFunc(ctx, stop)()
	if err := eventfold.WaitFor(waiting, s.events, s.customers(), eventfold.Position(at)); err != nil {
		return nil, err
	}
	var totals string
	err := s.tables.QueryRowContext(ctx, `SELECT json_group_object(name, total) FROM customer`).Scan(&totals)
	return json.RawMessage(totals), err
}
