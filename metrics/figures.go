package metrics

import "github.com/prometheus/client_golang/prometheus"

var (
	up = prometheus.NewDesc("eventfold_up", "1 if the store could be asked, 0 if it is closed, moved away or too slow.",
		nil, nil)
	info = prometheus.NewDesc("eventfold_format_info",
		"Always 1; the label format is the version of the format on disk.", []string{"format"}, nil)
)

// A figure is a row of $stats and the metric that it becomes.
type figure struct {
	stat, name, help string
	kind             prometheus.ValueType
	desc             *prometheus.Desc
}

func counter(stat, name, help string) figure {
	return newFigure(stat, name, help, prometheus.CounterValue)
}

func gauge(stat, name, help string) figure {
	return newFigure(stat, name, help, prometheus.GaugeValue)
}

func newFigure(stat, name, help string, kind prometheus.ValueType) figure {
	name = "eventfold_" + name
	return figure{stat, name, help, kind, prometheus.NewDesc(name, help, nil, nil)}
}

// figures are the rows of $stats, but for the version of the format, which is a label.
var figures = []figure{
	gauge("events", "events", "Events in the log."),
	gauge("streams", "streams", "Streams in the log. Missing where counting them would read the indexes."),
	gauge("head", "head_position", "The next position. Missing where the end of the log cannot be read."),
	gauge("disk_bytes", "disk_bytes", "Bytes of all files of the store."),
	gauge("segments", "segments", "Files of the log."),
	gauge("compressed_segments", "compressed_segments", "Sealed segments that are stored compressed."),
	gauge("indexed_segments", "indexed_segments", "Sealed segments that have an index file."),
	counter("appends", "appends_total", "Appends acknowledged by this process."),
	counter("appended_events", "appended_events_total", "Events acknowledged by this process."),
	counter("groups", "group_commits_total", "Group commits: one write for all appends that waited."),
	counter("syncs", "syncs_total", "Syncs of the log."),
	counter("sync_seconds", "sync_seconds_total", "Seconds spent in syncs of the log."),
	gauge("last_sync_seconds", "last_sync_seconds", "Seconds that the last sync took."),
	counter("writer_cpu_seconds", "writer_cpu_seconds_total",
		"Seconds that the writer spent outside of writes and syncs while it had work."),
	gauge("queue_length", "queue_appends", "Appends that wait for the writer."),
	gauge("queue_capacity", "queue_capacity_appends", "Appends that can wait before their callers do."),
	gauge("followers", "followers", "Goroutines that wait for the next event, those of FOLLOW among them."),
	gauge("follow_lag", "follow_lag_events", "How many events the slowest FOLLOW of this process is behind."),
	gauge("memory_limit", "query_memory_limit_bytes", "Bytes that all queries of the store may hold together."),
	gauge("memory_used", "query_memory_bytes", "Bytes that the queries of the store hold."),
	gauge("memory_peak", "query_memory_peak_bytes", "Bytes that the queries of the store have held at most."),
	gauge("spill_files", "query_spill_files", "Temporary files of queries that run."),
	gauge("spill_bytes", "query_spill_bytes", "Bytes that these files take."),
	counter("spilled_bytes", "query_spilled_bytes_total", "Bytes that queries have written to temporary files."),
	gauge("low_space", "low_space", "1 if the next segment could not be prepared: the disk is full or nearly so."),
	gauge("poisoned", "poisoned", "1 if a sync has failed: the store can only be read until it is opened again."),
	gauge("verified_bytes", "verified_bytes", "Bytes of log that the VERIFY that run have checked so far."),
	gauge("verify_bytes", "verify_bytes", "About how many they are to check; 0 while none runs."),
	gauge("writable", "writable", "1 if this process holds the write lock."),
	gauge("copy_lag", "copy_lag_events",
		"How many events this node has heard of that its copy of a cluster's log does not hold. Missing elsewhere."),
	gauge("copy_synced", "copy_synced_timestamp_seconds",
		"When the copy was last known to hold all of the cluster's log, in seconds since 1970. Missing elsewhere."),
	gauge("recovery", "recovered", "1 if something was repaired when the store was opened; $stats says what."),
}
