package parser

import "testing"

func BenchmarkParse(b *testing.B) {
	for _, bench := range []struct{ name, text string }{
		{"insert", `INSERT INTO "account-7" (type, payload) VALUES (?, ?) EXPECTING VERSION ? RETURNING position, version`},
		{"select", `SELECT type, COUNT(*) AS n, SUM(payload->>'$.amount') FROM $all WHERE recorded_at >= '2026-01-01' AND position > ? GROUP BY type ORDER BY n DESC LIMIT 10`},
	} {
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
