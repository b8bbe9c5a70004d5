package metrics_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/metrics"
)

// A readModels is a database that answers the query of eventfold.Projections with its rows, and has no
// such table if there are none. The service of examples/http has a real one.
type readModels [][]driver.Value

func (m readModels) Connect(context.Context) (driver.Conn, error) { return m, nil }
func (m readModels) Driver() driver.Driver                        { return nil }
func (m readModels) Prepare(string) (driver.Stmt, error)          { return nil, errors.ErrUnsupported }
func (m readModels) Begin() (driver.Tx, error)                    { return nil, errors.ErrUnsupported }
func (m readModels) Close() error                                 { return nil }

func (m readModels) QueryContext(_ context.Context, query string, _ []driver.NamedValue) (driver.Rows, error) {
	if len(m) == 0 || !strings.Contains(query, "FROM eventfold_projections") {
		return nil, errors.New("no such table")
	}
	return &modelRows{rest: m}, nil
}

// modelRows are the rows that are left.
type modelRows struct{ rest readModels }

func (r *modelRows) Columns() []string { return make([]string, len(r.rest[0])) }
func (r *modelRows) Close() error      { return nil }

func (r *modelRows) Next(to []driver.Value) error {
	if len(r.rest) == 0 {
		return io.EOF
	}
	copy(to, r.rest[0])
	r.rest = r.rest[1:]
	return nil
}

// newReadModels returns a database with a version of a projection that a later one has followed, that
// one, and one that has stopped. Each row has: name, version, next, live_from, live_until, began, began
// at, seen, resettable, reset_asked, stopped, error, parked.
func newReadModels(t *testing.T) *sql.DB {
	t.Helper()
	db := sql.OpenDB(readModels{
		{"balances", int64(1), int64(1), int64(-1), int64(1), int64(0), int64(0), int64(1500000), 1, 0, int64(0), "", int64(0)},
		{"balances", int64(2), int64(3), int64(1), int64(-1), int64(0), int64(0), int64(2500000), 1, 0, int64(0), "", int64(2)},
		{"mail\xff", int64(1), int64(2), int64(0), int64(-1), int64(0), int64(0), int64(3000000), 1, 0, int64(9), "no", int64(0)},
	})
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

func TestProjectionsAreToldByTheirVersions(t *testing.T) {
	db, _ := open(t)
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(metrics.NewCollector(db, metrics.Options{Projections: newReadModels(t)})))
	require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP eventfold_projection_lag_events Events that the projection has not read. Missing where the end of the log cannot be read.
# TYPE eventfold_projection_lag_events gauge
eventfold_projection_lag_events{projection="balances",version="1"} 2
eventfold_projection_lag_events{projection="balances",version="2"} 0
eventfold_projection_lag_events{projection="\"mail\\xff\"",version="1"} 1
# HELP eventfold_projection_live 1 for the version that is given events without Replay, 0 while one is built, or when a later one has taken over.
# TYPE eventfold_projection_live gauge
eventfold_projection_live{projection="balances",version="1"} 0
eventfold_projection_live{projection="balances",version="2"} 1
eventfold_projection_live{projection="\"mail\\xff\"",version="1"} 1
# HELP eventfold_projection_parked_events Events that the projection has refused and passed over.
# TYPE eventfold_projection_parked_events gauge
eventfold_projection_parked_events{projection="balances",version="1"} 0
eventfold_projection_parked_events{projection="balances",version="2"} 2
eventfold_projection_parked_events{projection="\"mail\\xff\"",version="1"} 0
# HELP eventfold_projection_seen_timestamp_seconds When a runner of the projection has last written, in seconds since 1970; one that runs does every ten seconds.
# TYPE eventfold_projection_seen_timestamp_seconds gauge
eventfold_projection_seen_timestamp_seconds{projection="balances",version="1"} 1.5
eventfold_projection_seen_timestamp_seconds{projection="balances",version="2"} 2.5
eventfold_projection_seen_timestamp_seconds{projection="\"mail\\xff\"",version="1"} 3
# HELP eventfold_projection_stopped 1 if the projection has stopped by itself, because of an event or an error.
# TYPE eventfold_projection_stopped gauge
eventfold_projection_stopped{projection="balances",version="1"} 0
eventfold_projection_stopped{projection="balances",version="2"} 0
eventfold_projection_stopped{projection="\"mail\\xff\"",version="1"} 1
# HELP eventfold_projections_up 1 if the database of the read models could be asked, 0 if not, or if no projection has ever run in it.
# TYPE eventfold_projections_up gauge
eventfold_projections_up 1
`), "eventfold_projection_lag_events", "eventfold_projection_live", "eventfold_projection_parked_events",
		"eventfold_projection_seen_timestamp_seconds", "eventfold_projection_stopped", "eventfold_projections_up"))
	problems, err := testutil.GatherAndLint(registry)
	require.NoError(t, err)
	assert.Empty(t, problems)
}

// Of a store and a database each is told without the other.
func TestProjectionsAreToldWhenTheStoreIsNotAndTheOtherWayRound(t *testing.T) {
	db, _ := open(t)
	for name, want := range map[string]struct {
		models *sql.DB
		up     string
	}{
		"no projection has ever run": {sql.OpenDB(readModels{}), "eventfold_up 1\n|eventfold_projections_up 0\n|eventfold_events 3\n"},
		"no database is given":       {nil, "eventfold_up 1\n|eventfold_events 3\n"},
	} {
		got := scrape(t, db, want.models)
		for text := range strings.SplitSeq(want.up, "|") {
			assert.Contains(t, got, text, name)
		}
		assert.NotContains(t, got, "eventfold_projection_", name)
	}
	require.NoError(t, db.Close())
	got := scrape(t, db, newReadModels(t))
	assert.Contains(t, got, "eventfold_up 0\n")
	assert.Contains(t, got, "eventfold_projections_up 1\n")
	assert.Contains(t, got, `eventfold_projection_next_position{projection="balances",version="2"} 3`)
	assert.NotContains(t, got, "lag_events", "nobody knows")
}

// TestNamesThatAreNoUTF8AreToldApart: a registry refuses everything if two of them get one label.
func TestNamesThatAreNoUTF8AreToldApart(t *testing.T) {
	db, _ := open(t)
	var models readModels
	for _, name := range []string{"mail\xff", "mail\xfe", "mail?", "mail\ufffd", `"mail\xff"`} {
		models = append(models, []driver.Value{name, int64(1), int64(2), int64(0), int64(-1), int64(0), int64(0), int64(3000000),
			1, 0, int64(0), "", int64(0)})
	}
	other := sql.OpenDB(models)
	defer other.Close()
	got := scrape(t, db, other)
	for _, label := range []string{`\"mail\\xff\"`, `\"mail\\xfe\"`, `mail?`, "mail\ufffd", `\"\\\"mail\\\\xff\\\"\"`} {
		assert.Contains(t, got, `eventfold_projection_live{projection="`+label+`",version="1"} 1`)
	}
}

// scrape returns what the handler of a store answers.
func scrape(t *testing.T, db, models *sql.DB) string {
	t.Helper()
	answer := httptest.NewRecorder()
	metrics.Handler(db, metrics.Options{Projections: models}).ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	require.Equal(t, 200, answer.Code)
	return answer.Body.String()
}

func TestTwoHandlersAreOfTwoStores(t *testing.T) {
	db, _ := open(t)
	other, err := sql.Open("eventfold", filepath.Join(t.TempDir(), "other"))
	require.NoError(t, err)
	defer other.Close()
	_, err = other.Exec(`INSERT INTO s (type) VALUES ('A')`)
	require.NoError(t, err)
	assert.Contains(t, scrape(t, db, nil), "eventfold_events 3\n")
	assert.Contains(t, scrape(t, other, nil), "eventfold_events 1\n")
}
