package docs

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/assert/yaml"
	"github.com/stretchr/testify/require"
)

var metricName = regexp.MustCompile(`\beventfold_[a-z_]+`)

var metric = regexp.MustCompile("(?m)^\\| `(eventfold_[a-z_]+)` \\|")

// knownMetrics are the names of the metrics of the collector, which lists them itself.
func knownMetrics(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	for _, m := range metric.FindAllStringSubmatch(read(t, "../metrics/README.md"), -1) {
		known[m[1]] = true
	}
	require.Greater(t, len(known), 20)
	return known
}

// TestTheAlertsAreAboutMetricsThatThereAre reads the rules as Prometheus would.
func TestTheAlertsAreAboutMetricsThatThereAre(t *testing.T) {
	content, err := os.ReadFile("monitoring/alerts.yml")
	require.NoError(t, err)
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	require.NoError(t, yaml.Unmarshal(content, &file))
	require.Len(t, file.Groups, 1)
	known, page := knownMetrics(t), read(t, "operations.md")
	for _, r := range file.Groups[0].Rules {
		names := metricName.FindAllString(r.Expr, -1)
		assert.NotEmpty(t, names, r.Alert)
		for _, name := range names {
			assert.True(t, known[name], "%s: there is no metric %s", r.Alert, name)
		}
		assert.Contains(t, []string{"page", "warn", "info"}, r.Labels["severity"], r.Alert)
		assert.NotEmpty(t, r.Annotations["summary"], r.Alert)
		if _, heading, found := strings.Cut(r.Annotations["action"], "operations.md, "); found {
			heading = strings.TrimRight(strings.Split(heading, ":")[0], ".")
			assert.Contains(t, page, "\n### "+heading+"\n", r.Alert)
		}
	}
}

// TestTheDashboardIsAboutMetricsThatThereAre reads the dashboard as far as Grafana needs it.
func TestTheDashboardIsAboutMetricsThatThereAre(t *testing.T) {
	var board struct {
		Title         string
		SchemaVersion int
		Templating    struct {
			List []struct{ Name, Query string }
		}
		Panels []struct {
			ID      int
			Title   string
			GridPos struct{ H, W, X, Y int }
			Targets []struct{ RefID, Expr string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(read(t, "monitoring/dashboard.json")), &board))
	known, ids, places := knownMetrics(t), map[int]bool{}, map[[2]int]bool{}
	for _, p := range board.Panels {
		assert.False(t, ids[p.ID], "two panels have the id %d", p.ID)
		place := [2]int{p.GridPos.X, p.GridPos.Y}
		assert.False(t, places[place], "two panels are at %v", place)
		ids[p.ID], places[place] = true, true
		require.NotEmpty(t, p.Targets, p.Title)
		for _, target := range p.Targets {
			names := metricName.FindAllString(target.Expr, -1)
			assert.NotEmpty(t, names, p.Title)
			for _, name := range names {
				assert.True(t, known[name], "%s: there is no metric %s", p.Title, name)
			}
		}
	}
	assert.Len(t, board.Templating.List, 2)
}

// read returns a file of this directory.
func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(content)
}
