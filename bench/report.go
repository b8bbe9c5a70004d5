package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
)

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

// has reports whether the peer has any of the figures.
func (b *bench) has(peer string, metrics ...string) bool {
	return slices.ContainsFunc(metrics, func(metric string) bool { return !math.IsNaN(b.value(peer, metric)) })
}

// A block is a part of the report that has a place of its own in performance.md.
type block struct{ key, heading, text string }

// blocks are the report, without what was not measured.
func (b *bench) blocks() []block {
	list := []block{{"run", "The run", b.about()}}
	for i := range sections {
		if text := b.section(&sections[i]); text != "" {
			list = append(list, block{sections[i].key, sections[i].ask, text})
		}
	}
	return list
}

// markdown is the report.
func (b *bench) markdown() string {
	var s strings.Builder
	for _, one := range b.blocks() {
		fmt.Fprintf(&s, "## %s\n\n%s\n\n", one.heading, one.text)
	}
	return s.String()
}

// about tells how it was measured, what the machine gives at best, and which figures are missing.
func (b *bench) about() string {
	text := fmt.Sprintf("Measured by `go run -C bench . -rounds %d -events %d -seconds %v -tries %d` on %s/%s with %d "+
		"processors, in %.0f minutes; medians over the rounds. Others kept %.2f processors busy meanwhile (median over the "+
		"processes; %.2f at most).\n\n", len(b.rounds), b.events, b.seconds, b.tries, runtime.GOOS, runtime.GOARCH,
		runtime.NumCPU(), b.took.Minutes(), max(median(b.others), 0), slices.Max(append(b.others, 0)))
	return strings.TrimSpace(text + b.limits() + b.failures())
}

// section is "" if nothing of it was measured.
func (b *bench) section(sec *section) string {
	metrics := sec.metrics()
	if !slices.ContainsFunc(b.names, func(name string) bool { return b.has(name, metrics...) }) {
		return ""
	}
	var s strings.Builder
	for _, c := range sec.drawn(b) {
		fmt.Fprintf(&s, "![%s](%s.svg)\n", c.title, c.file)
	}
	for _, t := range sec.tables {
		if text := b.figures(t); text != "" {
			fmt.Fprintf(&s, "\n%s:\n\n%s\n", t.title, text)
		}
	}
	if sec.reports {
		fmt.Fprintf(&s, "\nReports in SQL, in milliseconds (the median of five, or of as many as fit %v):\n\n%s\n",
			b.seconds, b.reports())
	}
	if text := b.targets(metrics); text != "" {
		fmt.Fprintf(&s, "\nTargets, as ratios within a round, of which more is better; those compared with "+
			"nothing are figures, of which less is better:\n\n%s\n", text)
	}
	return strings.TrimSpace(s.String())
}

// limits describes what the machine gives at best, and what appends cost our writer.
func (b *bench) limits() string {
	if !b.has(limitsName, "sync") {
		return ""
	}
	limit := func(metric string) float64 { return b.value(limitsName, metric) }
	var s strings.Builder
	fmt.Fprintf(&s, "Limits of the machine: %.0f writes with a sync per second (%.0f µs each), memcpy %.1f GB/s, "+
		"CRC32C %.1f GB/s, SHA-256 and CRC32C on all processors %.2f GB/s, %.1f M length-prefixed records/s. ",
		limit("sync"), 1e6/limit("sync"), limit("memcpy")/1e9, limit("crc32c")/1e9, limit("checksums")/1e3,
		limit("records")/1e6)
	fmt.Fprintf(&s, "database/sql over a driver that does nothing: %.2f M rows/s, %.2f M pointers to events/s, %.0f "+
		"queries of ten rows/s.\n\n",
		limit("rows")/1e6, limit("events")/1e6, limit("short queries"))
	for _, ours := range []string{oursSQL, oursEngine} {
		var costs []string
		for _, clients := range clientCounts {
			if v := b.value(ours, fmt.Sprintf("append %d writer", clients)); !math.IsNaN(v) {
				costs = append(costs, fmt.Sprintf("%.2f µs with %d", v, clients))
			}
		}
		if len(costs) > 0 {
			fmt.Fprintf(&s, "What an append costs on the writer's path besides write and sync, %s: %s clients.\n\n", ours,
				strings.Join(costs, ", "))
		}
	}
	return s.String()
}

// figures is a table, "" if nobody has any of it.
func (b *bench) figures(f figureTable) string {
	t := table.NewWriter()
	header := table.Row{"store"}
	var metrics []string
	for _, c := range f.figures {
		header = append(header, c.metric+" ("+c.unit+")")
		metrics = append(metrics, c.metric)
	}
	t.AppendHeader(header)
	for _, name := range b.names {
		if !b.has(name, metrics...) {
			continue
		}
		row := table.Row{name}
		for _, c := range f.figures {
			row = append(row, format(c.format, b.value(name, c.metric)))
		}
		t.AppendRow(row)
	}
	if t.Length() == 0 {
		return ""
	}
	return t.RenderMarkdown()
}

// format writes a figure, without a fraction unless the layout says otherwise.
func format(layout string, v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	if layout == "" {
		layout = "%.0f"
	}
	return fmt.Sprintf(layout, v)
}

// targets are those of the metrics that were measured.
func (b *bench) targets(metrics []string) string {
	t := table.NewWriter()
	t.AppendHeader(table.Row{"store", "workload", "compared with", "target", "measured", "reached"})
	for _, target := range targets {
		figure := b.targetValue(target)
		if !slices.Contains(metrics, target.metric) || math.IsNaN(figure) {
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
	if t.Length() == 0 {
		return ""
	}
	return t.RenderMarkdown()
}

// targetValue returns the median over the rounds of a target's figure.
func (b *bench) targetValue(t target) float64 {
	var figures []float64
	for _, r := range b.rounds {
		figures = append(figures, t.in(r))
	}
	return median(figures)
}

// comparedWith names what a target is compared with: of the best peer, who that was in each round.
func (b *bench) comparedWith(t target) string {
	than := t.than
	if than == t.who {
		than = "itself"
	}
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

// reporters are the peers that have any figure of reports.
func (b *bench) reporters() (names []string) {
	for _, name := range b.names {
		if slices.ContainsFunc(reportQueries, func(q reportQuery) bool { return b.has(name, q.name) }) {
			names = append(names, name)
		}
	}
	return names
}

// reports is a table of the reports.
func (b *bench) reports() string {
	t := table.NewWriter()
	header := table.Row{"report"}
	names := b.reporters()
	for _, name := range names {
		header = append(header, name)
	}
	t.AppendHeader(header)
	for _, q := range reportQueries {
		row := table.Row{q.name}
		for _, name := range names {
			row = append(row, format("%.2f", b.value(name, q.name)))
		}
		t.AppendRow(row)
	}
	return t.RenderMarkdown()
}

// failures are why figures are missing.
func (b *bench) failures() string {
	var s strings.Builder
	for _, f := range b.failed {
		fmt.Fprintf(&s, "No figure of %s, %s: %s\n\n", f.peer, f.what, strings.Join(strings.Fields(f.why), " "))
	}
	return s.String()
}

// writeTo puts each block into performance.md of the directory, in the place of the one before, and
// draws the charts.
func (b *bench) writeTo(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	name := filepath.Join(dir, "performance.md")
	old, err := os.ReadFile(name)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	page := string(old)
	for _, one := range b.blocks() {
		page = one.replace(page)
	}
	if err := os.WriteFile(name, []byte(page), 0o644); err != nil {
		return err
	}
	for i := range sections {
		for _, c := range sections[i].drawn(b) {
			if err := b.draw(filepath.Join(dir, c.file+".svg"), c); err != nil {
				return err
			}
		}
	}
	return b.drawReports(filepath.Join(dir, reportsChart+".svg"))
}

// replace puts the block between the lines that begin and end it. A page without them gets it at its
// end, with a heading.
func (one block) replace(page string) string {
	begin, end := "<!-- figures: "+one.key+" -->", "<!-- end of "+one.key+" -->"
	before, rest, found := strings.Cut(page, begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		before, after = strings.TrimLeft(strings.TrimRight(page, "\n")+"\n\n## "+one.heading+"\n\n", "\n"), "\n"
	}
	return before + begin + "\n\n" + one.text + "\n\n" + end + after
}
