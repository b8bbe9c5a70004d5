package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/go-analyze/charts"
	"github.com/jedib0t/go-pretty/v6/table"
)

// The metrics of the table, with their units and the digits that they are worth.
var metrics = []struct{ name, unit, format string }{
	{"append 1", "events/s", "%.0f"}, {"append 8", "events/s", "%.0f"}, {"append 64", "events/s", "%.0f"},
	{"append 256", "events/s", "%.0f"},
	{"append 64 p99", "µs", "%.0f"}, {"append 256 p99", "µs", "%.0f"}, {"batches of 100", "events/s", "%.0f"},
	{"load", "events/s", "%.0f"},
	{"scan", "events/s", "%.0f"}, {"scan events", "events/s", "%.0f"}, {"streams of 10", "streams/s", "%.0f"},
	{"streams of 1000", "streams/s", "%.0f"},
	{"count per type", "ms", "%.3f"}, {"count one type", "ms", "%.3f"}, {"sum per type", "ms", "%.1f"},
	{"reopen", "ms", "%.1f"},
	{"memory", "MB", "%.0f"}, {"disk", "bytes/event", "%.0f"},
}

// median returns the median of the figures that are numbers, NaN if there are none.
func median(figures []float64) float64 {
	figures = slices.DeleteFunc(slices.Clone(figures), math.IsNaN)
	if len(figures) == 0 {
		return math.NaN()
	}
	slices.Sort(figures)
	return figures[len(figures)/2]
}

// value returns the median over the rounds of one peer's figure.
func (b *bench) value(peer, metric string) float64 {
	var figures []float64
	for _, r := range b.rounds {
		if v, ok := r.values[peer][metric]; ok {
			figures = append(figures, v)
		}
	}
	return median(figures)
}

func (b *bench) report(dir string) error {
	var s strings.Builder
	fmt.Fprintf(&s, "Measured by `go run -C bench . -rounds %d -events %d` on %s/%s with %d processors; medians over "+
		"the rounds.\n\n",
		len(b.rounds), b.events, runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	s.WriteString(b.limits())
	s.WriteString(b.figures())
	s.WriteString("\n\nWhat reports cost, in milliseconds (the median of five):\n\n")
	s.WriteString(b.reports())
	s.WriteString("\n\nTargets, as ratios within a round (greater is better, except for the absolute ones):\n\n")
	s.WriteString(b.targets())
	s.WriteString("\n")
	fmt.Print(s.String())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "performance-table.md"), []byte(s.String()), 0o644); err != nil {
		return err
	}
	return b.charts(dir)
}

// limits describes what the machine gives at best, and what appends cost our writer.
func (b *bench) limits() string {
	limit := func(metric string) float64 { return b.value(limitsName, metric) }
	var s strings.Builder
	fmt.Fprintf(&s, "Limits of the machine: %.0f writes with a sync per second (%.0f µs each), memcpy %.1f GB/s, "+
		"CRC32C %.1f GB/s, %.1f M length-prefixed records/s. ",
		limit("sync"), 1e6/limit("sync"), limit("memcpy")/1e9, limit("crc32c")/1e9, limit("records")/1e6)
	fmt.Fprintf(&s, "database/sql over a driver that does nothing: %.2f M rows/s, %.2f M pointers to events/s, %.0f "+
		"queries of ten rows/s.\n\n",
		limit("rows")/1e6, limit("events")/1e6, limit("short queries"))
	for _, ours := range []string{oursSQL, oursEngine} {
		var costs []string
		for _, clients := range clientCounts {
			costs = append(costs,
				fmt.Sprintf("%s µs with %d", format("%.2f", b.value(ours, fmt.Sprintf("append %d writer", clients))),
					clients))
		}
		fmt.Fprintf(&s, "What an append costs on the writer's path besides write and sync, %s: %s clients.\n\n", ours,
			strings.Join(costs, ", "))
	}
	return s.String()
}

func (b *bench) figures() string {
	t := table.NewWriter()
	header := table.Row{"store"}
	for _, m := range metrics {
		header = append(header, m.name+" ("+m.unit+")")
	}
	t.AppendHeader(append(header, "others' processors"))
	for _, name := range b.names {
		row := table.Row{name}
		for _, m := range metrics {
			row = append(row, format(m.format, b.value(name, m.name)))
		}
		var others []float64
		for _, r := range b.rounds {
			others = append(others, r.others[name])
		}
		t.AppendRow(append(row, format("%.2f", median(others))))
	}
	return t.RenderMarkdown()
}

func format(layout string, v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return fmt.Sprintf(layout, v)
}

func (b *bench) targets() string {
	t := table.NewWriter()
	t.AppendHeader(table.Row{"store", "workload", "compared with", "target", "measured", "reached"})
	for _, target := range targets {
		var figures []float64
		for _, r := range b.rounds {
			figures = append(figures, target.in(r))
		}
		figure := median(figures)
		if math.IsNaN(figure) {
			continue
		}
		want := fmt.Sprintf("≥ %g", target.want)
		if target.than == "" {
			want = fmt.Sprintf("≤ %g", target.want)
		}
		t.AppendRow(table.Row{
			target.who, target.metric, b.comparedWith(target), want, fmt.Sprintf("%.2f", figure),
			map[bool]string{true: "yes", false: "no"}[target.reached(figure)],
		})
	}
	return t.RenderMarkdown()
}

// comparedWith names what a target is compared with: of the best peer, who that was in each round.
func (b *bench) comparedWith(t target) string {
	than := t.than
	if t.other != "" {
		than += ": " + t.other
	}
	if t.than != bestPeer {
		return than
	}
	var names []string
	for _, r := range b.rounds {
		if name, _, ok := t.best(r); ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return than + ": " + strings.Join(names, " or ")
}

// reports is a table of the reports, and below it those that have no figure.
func (b *bench) reports() string {
	t := table.NewWriter()
	header := table.Row{"report"}
	var names []string
	for _, name := range b.names {
		if slices.ContainsFunc(reportQueries, func(q reportQuery) bool { return !math.IsNaN(b.value(name, q.name)) }) {
			header, names = append(header, name), append(names, name)
		}
	}
	t.AppendHeader(header)
	for _, q := range reportQueries {
		row := table.Row{q.name}
		for _, name := range names {
			row = append(row, format("%.2f", b.value(name, q.name)))
		}
		t.AppendRow(row)
	}
	s := t.RenderMarkdown()
	for _, failed := range b.failed {
		s += "\n\nNo figure: " + failed
	}
	return s
}

// shortNumber formats a number of an axis.
func shortNumber(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%gM", v/1e6)
	case v >= 1e3:
		return fmt.Sprintf("%gk", v/1e3)
	}
	return fmt.Sprintf("%g", v)
}

// charts draws what a reader looks at first.
func (b *bench) charts(dir string) error {
	for _, c := range []struct {
		file, title string
		metrics     []string
	}{
		{"append", "Durable appends, events per second", []string{"append 1", "append 8", "append 64", "append 256"}},
		{"scan", "Full scan, events per second", []string{"scan"}},
		{"streams", "Streams of 10 read per second", []string{"streams of 10"}},
		{"sum", "SUM of a payload field by type, milliseconds", []string{"sum per type"}},
	} {
		if err := b.chart(filepath.Join(dir, c.file+".svg"), c.title, c.metrics); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) chart(file, title string, names []string) error {
	var labels []string
	values := make([][]float64, len(names))
	for _, peer := range slices.Backward(b.names) { // the chart counts from below
		// The labels are placed by the width that they have in a font which few viewers have:
		// spaces leave room for wider ones.
		if math.IsNaN(b.value(peer, names[0])) {
			continue
		}
		labels = append(labels, peer+strings.Repeat("\u00a0", 2+len(peer)/5))
		for i, name := range names {
			v := b.value(peer, name)
			if math.IsNaN(v) {
				v = 0
			}
			values[i] = append(values[i], math.Round(v))
		}
	}
	if len(labels) == 0 {
		return nil
	}
	options := []charts.OptionFunc{
		charts.SVGOutputOptionFunc(),
		charts.TitleTextOptionFunc(title),
		charts.YAxisLabelsOptionFunc(labels),
		charts.DimensionsOptionFunc(1000, 120+len(labels)*(24+16*len(names))),
		charts.PaddingOptionFunc(charts.NewBoxEqual(20)),
		func(o *charts.ChartOption) { o.ValueFormatter = shortNumber },
	}
	if len(names) > 1 {
		options = append(options, charts.LegendOptionFunc(charts.LegendOption{
			SeriesNames: names,
			Offset:      charts.OffsetRight,
		}))
	}
	painter, err := charts.HorizontalBarRender(values, options...)
	if err != nil {
		return err
	}
	image, err := painter.Bytes()
	if err != nil {
		return err
	}
	return os.WriteFile(file, image, 0o644)
}
