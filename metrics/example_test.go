package metrics_test

import (
	"bufio"
	"database/sql"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/eventfold/eventfold/metrics"
)

// A program without a registry of its own answers scrapes with the figures of its store.
func ExampleHandler() {
	db, _ := sql.Open("eventfold", ":memory:")
	defer db.Close()
	if _, err := db.Exec(`INSERT INTO "order-1" (type) VALUES ('Placed'), ('Paid')`); err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics.Handler(db, metrics.Options{}))

	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "eventfold_events") {
			fmt.Println(lines.Text())
		}
	}
	// Output: eventfold_events 2
}

// A program with a registry, and several stores, gives each a label.
func ExampleNewCollector() {
	orders, _ := sql.Open("eventfold", ":memory:")
	defer orders.Close()
	registry := prometheus.NewRegistry() // or prometheus.DefaultRegisterer
	labelled := prometheus.WrapRegistererWith(prometheus.Labels{"store": "orders"}, registry)
	labelled.MustRegister(metrics.NewCollector(orders, metrics.Options{}))

	families, err := registry.Gather()
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "eventfold_up" {
			up := f.GetMetric()[0]
			fmt.Println(f.GetName(), up.GetLabel()[0].GetValue(), up.GetGauge().GetValue())
		}
	}
	// Output: eventfold_up orders 1
}
