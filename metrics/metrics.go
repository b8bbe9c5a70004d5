// Package metrics tells Prometheus what an eventfold store tells of itself in $stats:
//
//	prometheus.MustRegister(metrics.NewCollector(db, metrics.Options{}))
//	http.Handle("/metrics", promhttp.Handler())
//
// A program that has no registry takes Handler. A program with several stores gives each a label:
//
//	orders := prometheus.WrapRegistererWith(prometheus.Labels{"store": "orders"}, prometheus.DefaultRegisterer)
//	orders.MustRegister(metrics.NewCollector(db, metrics.Options{}))
//
// The figures are those of this process: a program that only reads a store tells its size and its
// own queries, and has counters of appends that stand still. README.md lists the metrics.
//
// What the pool of a *sql.DB does is told by collectors.NewDBStatsCollector of client_golang.
package metrics

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options say how a store is asked. The zero value is what most programs want.
type Options struct {
	// Timeout is how long a scrape may wait for the store, and again for the database of Projections.
	// 0 means DefaultTimeout. $stats answers from memory; what is waited for is a connection of the
	// pool.
	Timeout time.Duration
	// Projections is the database of read models that eventfold.Project keeps, of which it is told how
	// far they are. nil means that there are none.
	Projections *sql.DB
}

// DefaultTimeout is the Timeout of Options without one.
const DefaultTimeout = 5 * time.Second

// A Collector asks the store at every scrape. Any number of goroutines may use it.
type Collector struct {
	db      *sql.DB
	options Options
}

var _ prometheus.Collector = (*Collector)(nil)

// NewCollector returns a collector of the figures of a store. It asks nothing yet. The databases
// remain the caller's to close; after that eventfold_up and eventfold_projections_up are 0.
func NewCollector(db *sql.DB, o Options) *Collector {
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	return &Collector{db: db, options: o}
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	out <- up
	out <- info
	for _, f := range figures {
		out <- f.desc
	}
	if c.options.Projections != nil {
		describeProjections(out)
	}
}

// Collect implements prometheus.Collector. If the store cannot be asked all that is told of it is
// eventfold_up, which is 0; projections are told of all the same, without how far they are behind.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	values := c.collectStore(out)
	if c.options.Projections != nil {
		c.collectProjections(values, out)
	}
}

// collectStore tells of the store, and returns its figures, nil if it cannot be asked.
func (c *Collector) collectStore(out chan<- prometheus.Metric) map[string]float64 {
	ctx, cancel := context.WithTimeout(context.Background(), c.options.Timeout)
	defer cancel()
	values, err := c.read(ctx)
	out <- prometheus.MustNewConstMetric(up, prometheus.GaugeValue, truth(err == nil))
	if err != nil {
		return nil
	}
	for _, f := range figures {
		if v, ok := values[f.stat]; ok { // a figure that is not known has no row
			out <- prometheus.MustNewConstMetric(f.desc, f.kind, v)
		}
	}
	out <- prometheus.MustNewConstMetric(info, prometheus.GaugeValue, 1, formatOf(values))
	return values
}

// read returns the figures by their names in $stats.
func (c *Collector) read(ctx context.Context) (map[string]float64, error) {
	rows, err := c.db.QueryContext(ctx, `SELECT name, value FROM $stats`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	values := map[string]float64{}
	for rows.Next() {
		var name string
		var value float64
		if err := rows.Scan(&name, &value); err != nil {
			return nil, fmt.Errorf("the figure %s: %w", name, err)
		}
		values[name] = value
	}
	return values, rows.Err()
}

// formatOf is the version of the format on disk.
func formatOf(values map[string]float64) string {
	part := func(name string) string { return strconv.FormatFloat(values[name], 'f', -1, 64) }
	return part("format_major") + "." + part("format_minor")
}
