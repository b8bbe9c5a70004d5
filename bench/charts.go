package main

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/go-analyze/charts"
)

// drawn are the section's charts of which there are figures.
func (s *section) drawn(b *bench) (some []chart) {
	for _, c := range s.charts {
		if slices.ContainsFunc(b.names, func(name string) bool { return b.has(name, c.metrics[0]) }) {
			some = append(some, c)
		}
	}
	if s.reports && len(b.ratios(indexedPeer)) > 0 {
		some = append(some, chart{file: reportsChart, title: reportsTitle})
	}
	return some
}

// draw draws a bar for each peer and metric.
func (b *bench) draw(file string, c chart) error {
	if len(c.metrics) == 0 { // drawReports does
		return nil
	}
	var labels []string
	values := make([][]float64, len(c.metrics))
	for _, peer := range slices.Backward(b.names) { // the chart counts from below
		if !b.has(peer, c.metrics[0]) {
			continue
		}
		labels = append(labels, peer)
		for i, metric := range c.metrics {
			v := b.value(peer, metric)
			if math.IsNaN(v) {
				v = 0
			}
			values[i] = append(values[i], v)
		}
	}
	return bars(file, c.title, labels, c.metrics, values)
}

const (
	reportsChart = "reports"
	reportsTitle = "Reports: how many times as long as eventfold the others take (bars end at 20)"
	longestBar   = 20
)

// ratios returns, of each report that both have, how many times as long as ours the peer takes.
func (b *bench) ratios(peer string) map[string]float64 {
	ratios := map[string]float64{}
	for _, q := range reportQueries {
		if ratio := b.value(peer, q.name) / b.value(oursSQL, q.name); !math.IsNaN(ratio) {
			ratios[q.name] = ratio
		}
	}
	return ratios
}

// drawReports draws a bar for each report and each peer that ours is compared with.
func (b *bench) drawReports(file string) error {
	peers := []string{duckPeer, indexedPeer}
	all := []map[string]float64{b.ratios(duckPeer), b.ratios(indexedPeer)}
	var labels []string
	values := make([][]float64, len(peers))
	for _, q := range slices.Backward(reportQueries) {
		if len(all[0]) == 0 || len(all[1]) == 0 {
			return nil
		}
		labels = append(labels, q.name)
		for i := range peers {
			values[i] = append(values[i], min(all[i][q.name], longestBar))
		}
	}
	return bars(file, reportsTitle, labels, peers, values)
}

// bars draws a value of each series for each label.
func bars(file, title string, labels, series []string, values [][]float64) error {
	if len(labels) == 0 {
		return nil
	}
	wide := make([]string, len(labels))
	for i, label := range labels {
		// The labels are placed by the width that they have in a font which few viewers have:
		// spaces leave room for wider ones.
		wide[i] = label + strings.Repeat("\u00a0", 2+len(label)/5)
	}
	options := []charts.OptionFunc{
		charts.SVGOutputOptionFunc(),
		charts.TitleTextOptionFunc(title),
		charts.YAxisLabelsOptionFunc(wide),
		charts.DimensionsOptionFunc(1000, 120+len(labels)*(24+16*len(series))),
		charts.PaddingOptionFunc(charts.NewBoxEqual(20)),
		func(o *charts.ChartOption) { o.ValueFormatter = shortNumber },
	}
	if len(series) > 1 {
		options = append(options, charts.LegendOptionFunc(charts.LegendOption{
			SeriesNames: series,
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

// shortNumber formats a number of an axis.
func shortNumber(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.3gM", v/1e6)
	case v >= 1e3:
		return fmt.Sprintf("%.3gk", v/1e3)
	}
	return fmt.Sprintf("%.3g", v)
}
