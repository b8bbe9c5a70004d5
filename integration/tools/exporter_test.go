package tools

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// A collectorFile is a file of collectors of sql_exporter, as far as its queries go.
type collectorFile struct {
	Name    string `yaml:"collector_name"`
	Metrics []struct {
		Name   string   `yaml:"metric_name"`
		Type   string   `yaml:"type"`
		Help   string   `yaml:"help"`
		Keys   []string `yaml:"key_labels"`
		Values []string `yaml:"values"`
		Query  string   `yaml:"query"`
	} `yaml:"metrics"`
}

// TestTheCollectorOfSQLExporter does with the file of docs/tools.md what sql_exporter does at each
// scrape: a Ping for each connection until one succeeds, a statement for each query that is prepared
// once and kept, columns by their exact names, keys as texts and values as numbers.
func TestTheCollectorOfSQLExporter(t *testing.T) {
	page, err := os.ReadFile("../../docs/tools.md")
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)```yaml\n(# eventfold.collector.yml\n.*?)```").FindSubmatch(page)
	require.NotNil(t, block)
	var file collectorFile
	require.NoError(t, yaml.Unmarshal(block[1], &file))
	require.NotEmpty(t, file.Metrics)

	db := openStore(t)
	prepared := map[string]*sql.Stmt{}
	for range 3 { // scrapes
		for range db.Stats().MaxOpenConnections + 1 {
			if err = db.PingContext(t.Context()); err != driver.ErrBadConn { //nolint:errorlint // as it does
				break
			}
		}
		require.NoError(t, err)
		for _, m := range file.Metrics {
			assert.NotEmpty(t, m.Help, m.Name)
			assert.Contains(t, []string{"gauge", "counter"}, m.Type, m.Name)
			if prepared[m.Name] == nil {
				prepared[m.Name], err = db.PrepareContext(t.Context(), m.Query)
				require.NoError(t, err, m.Name)
			}
			samples, err := scrape(t.Context(), prepared[m.Name], m.Keys, m.Values)
			require.NoError(t, err, m.Name)
			assert.NotEmpty(t, samples, m.Name)
			if m.Name == "eventfold_type_events" {
				assert.Equal(t, []string{"Placed=2", "Paid=1"}, samples)
			}
		}
	}
	for _, s := range prepared {
		require.NoError(t, s.Close())
	}
}

// scrape runs a query as sql_exporter does.
func scrape(ctx context.Context, s *sql.Stmt, keys, values []string) (samples []string, err error) {
	rows, err := s.QueryContext(ctx)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		columns, err := rows.Columns()
		if err != nil {
			return nil, err
		}
		into := make([]any, len(columns))
		for i, c := range columns {
			switch {
			case contains(keys, c):
				into[i] = new(sql.NullString)
			case contains(values, c):
				into[i] = new(sql.NullFloat64)
			default:
				return nil, fmt.Errorf("the column %s is neither a key nor a value", c)
			}
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		samples = append(samples, sample(into))
	}
	return samples, rows.Err()
}

func contains(list []string, name string) bool {
	for _, n := range list {
		if n == name {
			return true
		}
	}
	return false
}

// sample is a row as key=value.
func sample(row []any) string {
	var keys []string
	value := 0.0
	for _, v := range row {
		switch v := v.(type) {
		case *sql.NullString:
			keys = append(keys, v.String)
		case *sql.NullFloat64:
			value = v.Float64
		}
	}
	return fmt.Sprintf("%s=%v", strings.Join(keys, ","), value)
}
