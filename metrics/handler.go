package metrics

import (
	"database/sql"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Handler answers scrapes with the figures of one store and nothing else, for programs that have no
// registry of their own:
//
//	http.Handle("/metrics", metrics.Handler(db, metrics.Options{}))
//
// Any number of requests may be answered at the same time. The database remains the caller's to close.
func Handler(db *sql.DB, o Options) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(NewCollector(db, o))
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}
