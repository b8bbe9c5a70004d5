package metrics

import "github.com/prometheus/client_golang/prometheus"

// A Told is a metric, for tests.
type Told struct{ Name, Kind, Help string }

// Figures are the metrics by the names of their figures in $stats.
func Figures() map[string]Told {
	kinds := map[prometheus.ValueType]string{prometheus.CounterValue: "counter", prometheus.GaugeValue: "gauge"}
	told := map[string]Told{}
	for _, f := range figures {
		told[f.stat] = Told{f.name, kinds[f.kind], f.help}
	}
	return told
}
