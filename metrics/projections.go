package metrics

import (
	"context"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/eventfold/eventfold"
)

var projectionsUp = prometheus.NewDesc("eventfold_projections_up",
	"1 if the database of the read models could be asked, 0 if not, or if no projection has ever run in it.", nil, nil)

// projectionLag is not known without the head of the store, as the other figures are.
var projectionLag = projectionDesc("lag_events",
	"Events that the projection has not read. Missing where the end of the log cannot be read.")

func projectionDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("eventfold_projection_"+name, help, []string{"projection", "version"}, nil)
}

// projectionFigures are what is told of each version of a projection, all of them gauges.
var projectionFigures = []struct {
	desc  *prometheus.Desc
	value func(s eventfold.ProjectionStatus) float64
}{
	{projectionDesc("next_position", "The next position that the projection reads."),
		func(s eventfold.ProjectionStatus) float64 { return float64(s.Next) }},
	{projectionDesc("live",
		"1 for the version that is given events without Replay, 0 while one is built, or when a later one has taken over."),
		func(s eventfold.ProjectionStatus) float64 {
			return truth(s.LiveFrom != eventfold.NoPosition && s.LiveUntil == eventfold.NoPosition)
		}},
	{projectionDesc("stopped", "1 if the projection has stopped by itself, because of an event or an error."),
		func(s eventfold.ProjectionStatus) float64 { return truth(!s.Stopped.IsZero()) }},
	{projectionDesc("parked_events", "Events that the projection has refused and passed over."),
		func(s eventfold.ProjectionStatus) float64 { return float64(s.Parked) }},
	{projectionDesc("seen_timestamp_seconds",
		"When a runner of the projection has last written, in seconds since 1970; one that runs does every ten seconds."),
		func(s eventfold.ProjectionStatus) float64 { return float64(s.Seen.UnixMicro()) / 1e6 }},
}

// truth is 1 or 0.
func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// describeProjections sends what may be told of projections.
func describeProjections(out chan<- *prometheus.Desc) {
	out <- projectionsUp
	out <- projectionLag
	for _, f := range projectionFigures {
		out <- f.desc
	}
}

// labelOf is the label of a projection's name, which comes from a database that others may write to:
// Prometheus takes UTF-8 only, and no two with one label. A name that is no UTF-8 is quoted, as Go does it,
// and so is one that could be taken for that.
func labelOf(name string) string {
	if !utf8.ValidString(name) || strings.HasPrefix(name, `"`) {
		return strconv.QuoteToASCII(name)
	}
	return name
}

// collectProjections tells of the projections, whose read models are in a database beside the store
// with these figures.
func (c *Collector) collectProjections(store map[string]float64, out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), c.options.Timeout)
	defer cancel()
	list, err := eventfold.Projections(ctx, c.options.Projections)
	out <- prometheus.MustNewConstMetric(projectionsUp, prometheus.GaugeValue, truth(err == nil))
	if err != nil {
		return
	}
	head, known := store["head"]
	for _, s := range list {
		labels := []string{labelOf(s.Name), strconv.Itoa(s.Version)}
		if known {
			lag := float64(s.Lag(eventfold.Position(head)))
			out <- prometheus.MustNewConstMetric(projectionLag, prometheus.GaugeValue, lag, labels...)
		}
		for _, f := range projectionFigures {
			out <- prometheus.MustNewConstMetric(f.desc, prometheus.GaugeValue, f.value(s), labels...)
		}
	}
}
