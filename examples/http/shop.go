package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/eventfold/eventfold"
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
		Paid bool
	}
)

func init() {
	eventfold.Register[OrderPlaced](eventfold.DefaultRegistry, "OrderPlaced")
	eventfold.Register[OrderPaid](eventfold.DefaultRegistry, "OrderPaid")
}

var foldOrder = eventfold.Typed(func(o order, event any) order {
	switch e := event.(type) {
	case OrderPlaced:
		o.OrderPlaced = e
	case OrderPaid:
		o.Paid = true
	}
	return o
})

type shop struct{ events, tables *sql.DB }

// A refusal is a decision against what was asked.
type refusal string

func (r refusal) Error() string { return string(r) }

func (s *shop) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, f := range map[string]func(ctx context.Context, r *http.Request) (any, error){
		"POST /orders/{id}": s.place, "POST /orders/{id}/pay": s.pay, "GET /orders/{id}": s.order, "GET /customers": s.totals,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			ctx := r.Context()
			if key := r.Header.Get("Idempotency-Key"); key != "" {
				ctx = eventfold.WithRequest(ctx, r.URL.Path+" "+key)
			}
			done, before, err := eventfold.RequestDone(ctx, s.events)
			answer := any(done) // of a request that comes again
			if err == nil && !before {
				answer, err = f(ctx, r)
			}
			if no := refusal(""); errors.As(err, &no) {
				http.Error(w, err.Error(), http.StatusConflict)
			} else if err != nil {
				http.Error(w, "it did not work", http.StatusInternalServerError)
			} else {
				_ = json.NewEncoder(w).Encode(answer) // the client may be gone
			}
		})
	}
	mux.HandleFunc("GET /metrics", s.metrics)
	return mux
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
	taken := func(bool, eventfold.Event) (bool, error) { return true, nil }
	return eventfold.Decide(ctx, s.events, same, taken, func(taken bool) ([]eventfold.Draft, error) {
		if taken {
			return nil, refusal("there is such an order, or the coupon is used")
		}
		return []eventfold.Draft{placed}, nil
	})
}

// pay notes that an order is paid, once.
func (s *shop) pay(ctx context.Context, r *http.Request) (done any, err error) {
	err = eventfold.Retry(ctx, func(ctx context.Context) error {
		stream := "order-" + r.PathValue("id")
		o, version, err := eventfold.Load(ctx, s.events, stream, foldOrder)
		if err == nil && (o.Paid || version == eventfold.NoVersion) {
			err = refusal("there is no such order to be paid")
		}
		if err == nil {
			done, err = eventfold.AppendEvents(ctx, s.events, stream, eventfold.Exact(version), OrderPaid{})
		}
		return err
	})
	return done, err
}

func (s *shop) order(ctx context.Context, r *http.Request) (any, error) {
	o, _, err := eventfold.Load(ctx, s.events, "order-"+r.PathValue("id"), foldOrder)
	return o, err
}

// customers is the projection: what each customer has ordered.
func (s *shop) customers() eventfold.Projection {
	return eventfold.Projection{
		Name: "customers", Version: 1, Target: s.tables, Query: `SELECT event FROM $all WHERE type = 'OrderPlaced'`,
		Setup: func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `DROP TABLE IF EXISTS customer; CREATE TABLE customer (name PRIMARY KEY, total)`)
			return err
		},
		Handle: func(ctx context.Context, tx *sql.Tx, d eventfold.Delivery) error {
			event, err := eventfold.DefaultRegistry.Decode(d.Event)
			if e, ok := event.(OrderPlaced); ok { // otherwise it was erased
				_, err = tx.ExecContext(ctx, `INSERT INTO customer VALUES (?, ?)
					ON CONFLICT (name) DO UPDATE SET total = total + excluded.total`, e.Customer, e.Total)
			}
			return err
		},
	}
}

// totals reads the projection, which has what was written at ?position= by then.
func (s *shop) totals(ctx context.Context, r *http.Request) (any, error) {
	at, _ := strconv.ParseInt(r.FormValue("position"), 10, 64)
	if err := eventfold.WaitFor(ctx, s.events, s.customers(), eventfold.Position(at)); err != nil {
		return nil, err
	}
	var totals string
	err := s.tables.QueryRowContext(ctx, `SELECT json_group_object(name, total) FROM customer`).Scan(&totals)
	return json.RawMessage(totals), err
}

// metrics writes the numbers of $stats, and where the projection is.
func (s *shop) metrics(w http.ResponseWriter, r *http.Request) {
	var stats map[string]json.Number
	err := s.events.QueryRowContext(r.Context(), `SELECT json_group_object(name, value) FROM $stats
		WHERE text IS NULL AND kind IS NOT NULL`).Scan(eventfold.JSON(&stats))
	list, _ := eventfold.Projections(r.Context(), s.tables) // before it has begun there is no table
	for name, value := range stats {
		fmt.Fprintln(w, "eventfold_"+name, value)
	}
	for _, p := range list {
		fmt.Fprintf(w, "shop_projection_next{name=%q} %d\n", p.Name, p.Next)
	}
	if err != nil {
		fmt.Fprintln(w, "#", err)
	}
}
