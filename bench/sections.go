package main

// A section of the report answers one question of a user.
type section struct {
	key     string // of its place in performance.md
	ask     string
	tables  []figureTable
	charts  []chart
	reports bool // it has the table of reports
}

// A figureTable has a row for each peer that has any of its figures.
type figureTable struct {
	title   string
	figures []figure
}

// A figure is a column of a table: a metric, with its unit and the digits that it is worth.
type figure struct {
	metric, unit, format string
}

// A chart is drawn of the figures of all peers that have the first.
type chart struct {
	file, title string
	metrics     []string
}

const (
	eventsRate  = "events/s"
	streamsRate = "streams/s"
)

// sections are the report, in this order.
var sections = []section{
	{
		key: "append", ask: "How fast can I append?",
		tables: []figureTable{
			{"One event an append, durable when it returns, with a check of its stream's version, " +
				"from 1 to 256 clients", []figure{
				{metric: "append 1", unit: eventsRate}, {metric: "append 8", unit: eventsRate},
				{metric: "append 64", unit: eventsRate}, {metric: "append 256", unit: eventsRate},
				{metric: "append 1 p99", unit: "µs"}, {metric: "append 64 p99", unit: "µs"},
				{metric: "append 256 p99", unit: "µs"},
				{metric: "append 1, ids", unit: eventsRate}, {metric: "append 64, ids", unit: eventsRate},
			}},
			{"A hundred events at a time, as a transaction of statements and as the rows of one; " +
				"\"ids\" are made by the client", []figure{
				{metric: "batches of 100", unit: eventsRate}, {metric: "batches of 100, ids", unit: eventsRate},
				{metric: "100 rows a statement", unit: eventsRate}, {metric: "100 rows a statement, ids", unit: eventsRate},
			}},
			{"Loading the data set, a thousand events at a time, and appending to ever more " +
				"streams at a time: the first, the second and the tenth event of each", []figure{
				{metric: "load", unit: eventsRate}, {metric: "load, ids", unit: eventsRate},
				{metric: "growth, new", unit: eventsRate}, {metric: "growth, second", unit: eventsRate},
				{metric: "growth, tenth", unit: eventsRate},
			}},
		},
		charts: []chart{
			{"append", "Durable appends, events per second", []string{"append 1", "append 8", "append 64", "append 256"}},
			{"load", "Batches of 100 and bulk load with ids of the client, events per second",
				[]string{"batches of 100, ids", "load, ids"}},
		},
	},
	{
		key: "read", ask: "How fast can I read?",
		tables: []figureTable{
			{"A process's first read, when the store is open and the system has the files in " +
				"memory, and what Go's heap gave out for it", []figure{
				{metric: "first of 10", unit: "ms", format: "%.3f"},
				{metric: "first of 10, apart", unit: "ms", format: "%.3f"},
				{metric: "first of 1000", unit: "ms", format: "%.2f"},
				{metric: "first of 10 heap", unit: "MB", format: "%.2f"},
				{metric: "first of 10, apart heap", unit: "MB", format: "%.2f"},
				{metric: "first of 1000 heap", unit: "MB", format: "%.2f"},
			}},
			{"Streams and single events, read before; streams of ten lie side by side or apart, " +
				"those of a thousand over the whole log", []figure{
				{metric: "streams of 10", unit: streamsRate}, {metric: "streams of 10, apart", unit: streamsRate},
				{metric: "streams of 1000", unit: streamsRate}, {metric: "one event", unit: eventsRate},
			}},
			{"Everything", []figure{{metric: "scan", unit: eventsRate}, {metric: "scan events", unit: eventsRate}}},
		},
		charts: []chart{
			{"first", "A new process's first stream of 1,000, milliseconds", []string{"first of 1000"}},
			{"streams", "Streams read per second", []string{"streams of 10", "streams of 10, apart"}},
		},
	},
	{
		key: "reports", ask: "What do reports cost?",
		tables: []figureTable{
			{"What every store can tell somehow", []figure{
				{metric: "count per type", unit: "ms", format: "%.3f"},
				{metric: "count one type", unit: "ms", format: "%.3f"},
				{metric: "sum per type", unit: "ms", format: "%.1f"},
			}},
		},
		charts:  []chart{{"sum", "SUM of a payload field by type, milliseconds", []string{"sum per type"}}},
		reports: true,
	},
	{
		key: "beside", ask: "What do readers cost the writer?",
		tables: []figureTable{
			{"One client appends, alone, beside four that sum a field by type, and beside a " +
				"hundred that read single events", []figure{
				{metric: "writer alone", unit: eventsRate}, {metric: "writer beside 4 sums", unit: eventsRate},
				{metric: "writer beside 100 points", unit: eventsRate},
				{metric: "writer alone p99", unit: "ms", format: "%.2f"},
				{metric: "writer beside 4 sums p99", unit: "ms", format: "%.2f"},
				{metric: "writer beside 100 points p99", unit: "ms", format: "%.2f"},
			}},
			{"What the readers get", []figure{
				{metric: "4 sums alone", unit: "1/s", format: "%.1f"},
				{metric: "4 sums beside a writer", unit: "1/s", format: "%.1f"},
				{metric: "100 points alone", unit: "1/s"}, {metric: "100 points beside a writer", unit: "1/s"},
			}},
			{"Followers in the writer's process, each of a stream of its own; every event is one " +
				"follower's. A delivery begins with the append", []figure{
				{metric: "writer beside 0 followers", unit: eventsRate}, {metric: "writer beside 1 follower", unit: eventsRate},
				{metric: "writer beside 1000 followers", unit: eventsRate},
				{metric: "delivery to 1 follower p50", unit: "ms", format: "%.2f"},
				{metric: "delivery to 1 follower p99", unit: "ms", format: "%.2f"},
				{metric: "delivery to 1000 followers p50", unit: "ms", format: "%.2f"},
				{metric: "delivery to 1000 followers p99", unit: "ms", format: "%.2f"},
			}},
			{"Followers in another process: what they take of a processor while nobody writes, and " +
				"from the return of an append to the delivery of its event, below zero if that came " +
				"before", []figure{
				{metric: "1 watcher idle", unit: "%", format: "%.2f"},
				{metric: "20 watchers idle", unit: "%", format: "%.2f"},
				{metric: "200 watchers idle", unit: "%", format: "%.2f"},
				{metric: "1 watcher p50", unit: "ms", format: "%.2f"},
				{metric: "20 watchers p50", unit: "ms", format: "%.2f"},
				{metric: "200 watchers p50", unit: "ms", format: "%.2f"},
				{metric: "200 watchers p99", unit: "ms", format: "%.2f"},
			}},
		},
		charts: []chart{{"beside", "Appends per second of one client beside readers",
			[]string{"writer alone", "writer beside 4 sums", "writer beside 100 points"}}},
	},
	{
		key: "restart", ask: "What does a restart cost?",
		tables: []figureTable{
			{"Opening and the first stream of ten, after Close and after kill -9; opening, one " +
				"append and Close", []figure{
				{metric: "reopen", unit: "ms", format: "%.1f"},
				{metric: "open, killed", unit: "ms", format: "%.1f"},
				{metric: "open, append, close", unit: "ms", format: "%.1f"},
				{metric: "open, append, close p99", unit: "ms", format: "%.1f"},
				{metric: "open, append, close without syncs", unit: "ms", format: "%.1f"},
			}},
			{"Checking every byte", []figure{
				{metric: "verify", unit: "MB/s"}, {metric: "verify time", unit: "ms"},
			}},
		},
		charts: []chart{{"restart", "Opening and a first read, milliseconds", []string{"reopen", "open, killed"}}},
	},
	{
		key: "room", ask: "What does it take?",
		tables: []figureTable{
			{"On the disk, with room laid ahead, and in memory when the store is open and one " +
				"stream was read", []figure{
				{metric: "disk", unit: "bytes/event"}, {metric: "disk, ids", unit: "bytes/event"},
				{metric: "memory", unit: "MB"},
			}},
		},
		charts: []chart{{"disk", "Bytes on the disk for an event with an id of the client", []string{"disk, ids"}}},
	},
}

// metrics are those that have a place in the section, and its reports.
func (s *section) metrics() (names []string) {
	for _, t := range s.tables {
		for _, f := range t.figures {
			names = append(names, f.metric)
		}
	}
	if s.reports {
		for _, q := range reportQueries {
			names = append(names, q.name)
		}
	}
	return names
}
