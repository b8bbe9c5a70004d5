package tools

import (
	"testing"

	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/data/sqlutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestGrafanaFrames makes frames of rows, as Grafana's data sources do: the types of the columns are
// told before the first row, and NULL has a place where a column may be NULL.
func TestGrafanaFrames(t *testing.T) {
	db := openStore(t)
	tests := []struct {
		query string
		types []data.FieldType
		rows  int
	}{
		{`SELECT recorded_at AS time, position, stream, type FROM $all ORDER BY position`,
			[]data.FieldType{data.FieldTypeTime, data.FieldTypeInt64, data.FieldTypeString, data.FieldTypeString}, 3},
		{`SELECT payload, metadata FROM $all`,
			[]data.FieldType{data.FieldTypeNullableString, data.FieldTypeNullableString}, 3},
		{`SELECT date_trunc('hour', recorded_at) AS time, COUNT(*) AS events FROM $all GROUP BY 1 ORDER BY 1`,
			[]data.FieldType{data.FieldTypeNullableTime, data.FieldTypeInt64}, 1},
		{`SELECT type, AVG(CAST(payload->>'$.total' AS REAL)) AS average FROM $all GROUP BY type`,
			[]data.FieldType{data.FieldTypeString, data.FieldTypeNullableFloat64}, 2},
		{`SELECT recorded_at AS time, version FROM $all WHERE stream = 'nothing'`,
			[]data.FieldType{data.FieldTypeTime, data.FieldTypeInt64}, 0},
		{`SELECT name, value FROM $stats WHERE name = 'events'`,
			[]data.FieldType{data.FieldTypeString, data.FieldTypeNullableString}, 1},
	}
	for _, tt := range tests {
		rows, err := db.Query(tt.query)
		require.NoError(t, err, tt.query)
		frame, err := sqlutil.FrameFromRows(rows, -1)
		require.NoError(t, err, tt.query)
		require.NoError(t, rows.Close())
		var types []data.FieldType
		for _, f := range frame.Fields {
			types = append(types, f.Type())
		}
		assert.Equal(t, tt.types, types, tt.query)
		n, err := frame.RowLen()
		require.NoError(t, err)
		assert.Equal(t, tt.rows, n, tt.query)
	}
}
