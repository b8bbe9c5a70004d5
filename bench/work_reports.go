package main

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A reportQuery is a question that reports ask. Its text is the same for every store; {events} stands
// for the table, {half} for half the number of events, and what fields has for each of them.
type reportQuery struct {
	name, text string
	hashed     bool // it needs a store that does not compare every event with every other
}

// reportDeadline ends a report that would hold up the whole run.
const reportDeadline = time.Minute

// reportQueries have a single possible answer each, so that answers can be compared: what is cut off by
// LIMIT is ordered in full.
var reportQueries = []reportQuery{
	{name: "sum of a field for each type", text: `SELECT type, SUM({amount}) FROM {events} GROUP BY type ORDER BY type`},
	{name: "sum where a field is great", text: `SELECT COUNT(*), SUM({amount}) FROM {events} WHERE {amount} > 90000`},
	{name: "a rare value of a field", text: `SELECT COUNT(*) FROM {events} WHERE {customer} = 'c-000042'`},
	{name: "greatest value of a field", text: `SELECT MAX({amount}) FROM {events}`},
	{name: "ten best customers", text: `SELECT {customer} AS c, SUM({amount}) AS n FROM {events} GROUP BY {customer}
		ORDER BY n DESC, c LIMIT 10`},
	{name: "ten longest streams", text: `SELECT stream, COUNT(*) AS n FROM {events} GROUP BY stream
		ORDER BY n DESC, stream LIMIT 10`},
	{name: "pivot of types", text: `SELECT SUM(CASE WHEN type = 'OrderEvent03' THEN 1 ELSE 0 END),
		SUM(CASE WHEN type = 'OrderEvent04' THEN {amount} ELSE 0 END) FROM {events}`},
	{name: "distinct types", text: `SELECT DISTINCT type FROM {events} ORDER BY type`},
	{name: "distinct streams", text: `SELECT COUNT(DISTINCT stream) FROM {events}`},
	{name: "distinct customers", text: `SELECT COUNT(DISTINCT {customer}) FROM {events}`},
	{name: "last version of each stream", text: `SELECT COUNT(*), SUM(v) FROM
		(SELECT stream, MAX(version) AS v FROM {events} GROUP BY stream) AS s`},
	{name: "last event of each stream", text: `SELECT e.type, COUNT(*) FROM {events} AS e
		JOIN (SELECT stream, MAX(version) AS v FROM {events} GROUP BY stream) AS l
		ON e.stream = l.stream AND e.version = l.v GROUP BY e.type ORDER BY e.type`},
	{name: "next event of the stream", text: `SELECT COUNT(*) FROM {events} AS a JOIN {events} AS b
		ON b.stream = a.stream AND b.version = a.version + 1 WHERE a.type = 'OrderEvent03'`},
	{name: "EXISTS", text: `SELECT COUNT(*) FROM {events} AS a WHERE a.type = 'OrderEvent03' AND EXISTS
		(SELECT 1 FROM {events} AS b WHERE b.stream = a.stream AND b.type = 'OrderEvent04')`},
	{name: "NOT EXISTS", text: `SELECT COUNT(*) FROM {events} AS a WHERE a.type = 'OrderEvent03' AND NOT EXISTS
		(SELECT 1 FROM {events} AS b WHERE b.stream = a.stream AND b.type = 'OrderEvent04')`},
	{name: "window: number in the stream", text: `SELECT COUNT(*), SUM(n) FROM
		(SELECT ROW_NUMBER() OVER (PARTITION BY stream ORDER BY version) AS n FROM {events}) AS s`},
	{name: "window: type before", text: `SELECT COUNT(*) FROM (SELECT type, LAG(type)
		OVER (PARTITION BY stream ORDER BY version) AS earlier FROM {events}) AS s WHERE type = earlier`},
	{name: "window: running sum", text: `SELECT SUM(n) FROM
		(SELECT SUM({amount}) OVER (PARTITION BY stream ORDER BY version) AS n FROM {events}) AS s`},
	{name: "join of all events by a field", hashed: true, text: `SELECT COUNT(*) FROM {events} AS a JOIN {events} AS b
		ON {b.customer} = {a.customer}`},
	{name: "events of each day", text: `SELECT {day}, COUNT(*) FROM {events} GROUP BY {day} ORDER BY {day}`},
	{name: "busiest hours", text: `SELECT {hour}, COUNT(*) AS n FROM {events} GROUP BY {hour}
		ORDER BY n DESC, {hour} LIMIT 10`},
	{name: "days, cut off", text: `SELECT COUNT(*), MAX(n) FROM
		(SELECT {truncated} AS d, COUNT(*) AS n FROM {events} GROUP BY {truncated}) AS s`},
	{name: "one day", text: `SELECT COUNT(*) FROM {events} WHERE {day} = '2026-01-15'`},
	{name: "pivot of types and days", text: `SELECT {day}, SUM(CASE WHEN type = 'OrderEvent03' THEN 1 ELSE 0 END),
		SUM(CASE WHEN type = 'OrderEvent04' THEN 1 ELSE 0 END) FROM {events} GROUP BY {day} ORDER BY {day}`},
	{name: "every thousandth event", text: `SELECT COUNT(*) FROM {events} WHERE position % 1000 = 7`},
	{name: "ten events from the middle", text: `SELECT stream, version FROM {events} ORDER BY position
		LIMIT 10 OFFSET {half}`},
}

// A reporter is a peer that answers questions in SQL.
type reporter interface {
	// reportNames are the table and what it calls the fields that reports ask for.
	reportNames() (events string, f fields)
	database() *sql.DB
	// looping reports whether a join by what is no column compares every event with every other.
	looping() bool
}

func (s *sqlStore) reportNames() (events string, f fields) { return "events", s.dialect.fields }

func (s *sqlStore) database() *sql.DB { return s.db }

func (s *sqlStore) looping() bool { return s.dialect.loops }

func (s *postgresStore) reportNames() (events string, f fields) { return s.table.reportNames() }

func (s *postgresStore) database() *sql.DB { return s.table.db }

func (s *postgresStore) looping() bool { return s.table.looping() }

func (s *eventfoldSQL) reportNames() (events string, f fields) {
	return "$all", fields{
		amount:    "payload->>'$.amount'",
		customer:  "payload->>'$.customer'",
		day:       "date(recorded_at)",
		hour:      "strftime('%Y-%m-%d %H', recorded_at)",
		truncated: "date_trunc('day', recorded_at)",
	}
}

func (s *eventfoldSQL) database() *sql.DB { return s.db }

func (s *eventfoldSQL) looping() bool { return false }

// textFor is the question in the words of a peer with so many events.
func (q reportQuery) textFor(r reporter, events int) string {
	table, f := r.reportNames()
	of := func(alias string) string { return strings.ReplaceAll(f.customer, "payload", alias+".payload") }
	return strings.NewReplacer("{events}", table, "{amount}", f.amount, "{customer}", f.customer,
		"{a.customer}", of("a"), "{b.customer}", of("b"), "{day}", f.day, "{hour}", f.hour,
		"{truncated}", f.truncated, "{half}", strconv.Itoa(wholeSet(events)/2)).Replace(q.text)
}

// ask asks a peer a report's question of that many events and returns the answer, a line for each row.
func (q reportQuery) ask(ctx context.Context, r reporter, events int) (string, error) {
	rows, err := r.database().QueryContext(ctx, q.textFor(r, events))
	if err != nil {
		return "", err
	}
	defer rows.Close()
	return answerOf(rows)
}

func answerOf(rows *sql.Rows) (string, error) {
	columns, err := rows.Columns()
	if err != nil {
		return "", err
	}
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	var s strings.Builder
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return "", err
		}
		for i, v := range values {
			if i > 0 {
				s.WriteByte('|')
			}
			s.WriteString(plain(v))
		}
		s.WriteByte('\n')
	}
	return s.String(), rows.Err()
}

// plain writes a value as every driver's values are to look: a number without a fraction as an integer.
func plain(v any) string {
	switch v := v.(type) {
	case []byte:
		return string(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// reports asks a store every report's question. One that fails or takes too long is told in the
// report and is no figure.
func (j job) reports(p peer) (results []result, err error) {
	r, ok := p.(reporter)
	if !ok {
		return nil, errUnsupported
	}
	err = j.opened(p, func() error {
		for _, q := range reportQueries {
			results = append(results, j.report(q, r))
		}
		return nil
	})
	return results, err
}

func (j job) report(q reportQuery, r reporter) result {
	ctx, cancel := context.WithTimeout(context.Background(), reportDeadline)
	defer cancel()
	one := result{Metric: q.name}
	if q.hashed && r.looping() {
		one.Failed = "it would compare every event with every other"
		return one
	}
	var err error
	one.Value, err = j.timed(func() (err error) {
		one.Answer, err = q.ask(ctx, r, j.Events)
		return err
	})
	if err != nil {
		return result{Metric: q.name, Failed: err.Error()}
	}
	return one
}
