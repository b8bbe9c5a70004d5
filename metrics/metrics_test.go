package metrics_test

import (
	"database/sql"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/metrics"
)

// open opens a store with three events and a collector of it.
func open(t *testing.T) (*sql.DB, *prometheus.Registry) {
	t.Helper()
	db, err := sql.Open("eventfold", filepath.Join(t.TempDir(), "store"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	_, err = db.Exec(`INSERT INTO "order-1" (type) VALUES ('Placed'), ('Paid')`)
	require.NoError(t, err)
	_, err = db.Exec(`INSERT INTO "order-2" (type) VALUES ('Placed')`)
	require.NoError(t, err)
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(metrics.NewCollector(db, metrics.Options{})))
	return db, registry
}

// TestTheFiguresAreTold compares some metrics with what was done.
func TestTheFiguresAreTold(t *testing.T) {
	_, registry := open(t)
	require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP eventfold_appended_events_total Events acknowledged by this process.
# TYPE eventfold_appended_events_total counter
eventfold_appended_events_total 3
# HELP eventfold_appends_total Appends acknowledged by this process.
# TYPE eventfold_appends_total counter
eventfold_appends_total 2
# HELP eventfold_events Events in the log.
# TYPE eventfold_events gauge
eventfold_events 3
# HELP eventfold_format_info Always 1; the label format is the version of the format on disk.
# TYPE eventfold_format_info gauge
eventfold_format_info{format="1.0"} 1
# HELP eventfold_head_position The next position. Missing where the end of the log cannot be read.
# TYPE eventfold_head_position gauge
eventfold_head_position 3
# HELP eventfold_poisoned 1 if a sync has failed: the store can only be read until it is opened again.
# TYPE eventfold_poisoned gauge
eventfold_poisoned 0
# HELP eventfold_up 1 if the store could be asked, 0 if it is closed, moved away or too slow.
# TYPE eventfold_up gauge
eventfold_up 1
# HELP eventfold_writable 1 if this process holds the write lock.
# TYPE eventfold_writable gauge
eventfold_writable 1
`), "eventfold_events", "eventfold_appended_events_total", "eventfold_appends_total", "eventfold_format_info",
		"eventfold_head_position", "eventfold_poisoned", "eventfold_up", "eventfold_writable"))
}

// TestTheNamesFollowTheConventions asks Prometheus' own linter.
func TestTheNamesFollowTheConventions(t *testing.T) {
	_, registry := open(t)
	problems, err := testutil.GatherAndLint(registry)
	require.NoError(t, err)
	assert.Empty(t, problems)
}

// TestAStoreThatCannotBeAskedIsDown: the scrape succeeds, and says so.
func TestAStoreThatCannotBeAskedIsDown(t *testing.T) {
	db, registry := open(t)
	require.NoError(t, db.Close())
	server := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	defer server.Close()
	response, err := server.Client().Get(server.URL)
	require.NoError(t, err)
	defer response.Body.Close()
	assert.Equal(t, 200, response.StatusCode)
	count, err := testutil.GatherAndCount(registry)
	require.NoError(t, err)
	assert.Equal(t, 1, count)
	require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP eventfold_up 1 if the store could be asked, 0 if it is closed, moved away or too slow.
# TYPE eventfold_up gauge
eventfold_up 0
`)))
}

// TestEveryFigureOfStatsIsAMetric: whoever adds one to $stats is told of this module. The table in
// docs/sql.md has all figures, also those that this store does not know.
func TestEveryFigureOfStatsIsAMetric(t *testing.T) {
	reference, err := os.ReadFile("../docs/sql.md")
	require.NoError(t, err)
	rows := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (counter|gauge) \\|").FindAllStringSubmatch(string(reference), -1)
	require.NotEmpty(t, rows)
	told := metrics.Figures()
	for _, row := range rows {
		if strings.HasPrefix(row[1], "format_") { // a label of eventfold_format_info
			continue
		}
		assert.Equal(t, row[2], told[row[1]].Kind, "the figure %s", row[1])
		delete(told, row[1])
	}
	assert.Empty(t, told, "these are no figures of $stats")
}

// TestThePageTellsOfEveryMetric compares README.md with what a scrape gives, and with what it may.
func TestThePageTellsOfEveryMetric(t *testing.T) {
	db, _ := open(t)
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(metrics.NewCollector(db, metrics.Options{Projections: newReadModels(t)})))
	families, err := registry.Gather()
	require.NoError(t, err)
	want := map[string]string{}
	for _, f := range families {
		want[f.GetName()] = fmt.Sprintf("%s | %s", strings.ToLower(f.GetType().String()), f.GetHelp())
	}
	for _, f := range metrics.Figures() {
		want[f.Name] = fmt.Sprintf("%s | %s", f.Kind, f.Help)
	}
	page, err := os.ReadFile("README.md")
	require.NoError(t, err)
	got := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(eventfold_[a-z_]+)` \\| (.*) \\|$").FindAllStringSubmatch(string(page), -1) {
		if strings.HasPrefix(row[2], "counter") || strings.HasPrefix(row[2], "gauge") {
			got[row[1]] = row[2]
		}
	}
	assert.Equal(t, want, got)
}

// TestSeveralStoresHaveLabels: one registry, two stores.
func TestSeveralStoresHaveLabels(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	for _, name := range []string{"orders", "mail"} {
		db, err := sql.Open("eventfold", filepath.Join(t.TempDir(), name))
		require.NoError(t, err)
		defer db.Close()
		labelled := prometheus.WrapRegistererWith(prometheus.Labels{"store": name}, registry)
		require.NoError(t, labelled.Register(metrics.NewCollector(db, metrics.Options{})))
	}
	n, err := testutil.GatherAndCount(registry, "eventfold_up")
	require.NoError(t, err)
	assert.Equal(t, 2, n)
}
