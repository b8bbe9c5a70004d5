package parser

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var parsed = []struct {
	name, text string
	allocs     float64 // at most
}{
	{"insert", `INSERT INTO "account-7" (type, payload) VALUES (?, ?) EXPECTING VERSION ? RETURNING position, version`,
		50},
	{"select", `SELECT type, COUNT(*) AS n, SUM(payload->>'$.amount') FROM $all WHERE recorded_at >= '2026-01-01' ` +
		`AND position > ? GROUP BY type ORDER BY n DESC LIMIT 10`, 150},
}

func TestParseAllocations(t *testing.T) {
	for _, tt := range parsed {
		_, err := Parse(tt.text)
		require.NoError(t, err, tt.name)
		n := testing.AllocsPerRun(100, func() { Parse(tt.text) })
		assert.LessOrEqual(t, n, tt.allocs, tt.name)
		t.Logf("%s: %.0f allocations", tt.name, n)
	}
}

func BenchmarkParse(b *testing.B) {
	for _, bench := range parsed {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(bench.text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
