package main

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A reportQuery is a question that reports ask. Its text is the same for every store; {events} stands for
// the table, {amount} and {customer} for fields of the payload, {half} for half the number of events.
type reportQuery struct{ name, text string }

// reportDeadline ends a report that would hold up the whole run.
const reportDeadline = time.Minute

// reportQueries have a single possible answer each, so that answers can be compared: what is cut off by
// LIMIT is ordered in full.
var reportQueries = []reportQuery{
	{"sum of a field for each type", `SELECT type, SUM({amount}) FROM {events} GROUP BY type ORDER BY type`},
	{"sum where a field is great", `SELECT COUNT(*), SUM({amount}) FROM {events} WHERE {amount} > 90000`},
	{"a rare value of a field", `SELECT COUNT(*) FROM {events} WHERE {customer} = 'c-000042'`},
	{"greatest value of a field", `SELECT MAX({amount}) FROM {events}`},
	{"ten best customers", `SELECT {customer} AS c, SUM({amount}) AS n FROM {events} GROUP BY {customer}
		ORDER BY n DESC, c LIMIT 10`},
	{"ten longest streams", `SELECT stream, COUNT(*) AS n FROM {events} GROUP BY stream
		ORDER BY n DESC, stream LIMIT 10`},
	{"pivot of types", `SELECT SUM(CASE WHEN type = 'OrderEvent03' THEN 1 ELSE 0 END),
		SUM(CASE WHEN type = 'OrderEvent04' THEN {amount} ELSE 0 END) FROM {events}`},
	{"distinct types", `SELECT DISTINCT type FROM {events} ORDER BY type`},
	{"distinct streams", `SELECT COUNT(DISTINCT stream) FROM {events}`},
	{"distinct customers", `SELECT COUNT(DISTINCT {customer}) FROM {events}`},
	{"last version of each stream", `SELECT COUNT(*), SUM(v) FROM
		(SELECT stream, MAX(version) AS v FROM {events} GROUP BY stream) AS s`},
	{"last event of each stream", `SELECT e.type, COUNT(*) FROM {events} AS e
		JOIN (SELECT stream, MAX(version) AS v FROM {events} GROUP BY stream) AS l
		ON e.stream = l.stream AND e.version = l.v GROUP BY e.type ORDER BY e.type`},
	{"next event of the stream", `SELECT COUNT(*) FROM {events} AS a JOIN {events} AS b
		ON b.stream = a.stream AND b.version = a.version + 1 WHERE a.type = 'OrderEvent03'`},
	{"EXISTS", `SELECT COUNT(*) FROM {events} AS a WHERE a.type = 'OrderEvent03' AND EXISTS
		(SELECT 1 FROM {events} AS b WHERE b.stream = a.stream AND b.type = 'OrderEvent04')`},
	{"NOT EXISTS", `SELECT COUNT(*) FROM {events} AS a WHERE a.type = 'OrderEvent03' AND NOT EXISTS
		(SELECT 1 FROM {events} AS b WHERE b.stream = a.stream AND b.type = 'OrderEvent04')`},
	{"window: number in the stream", `SELECT COUNT(*), SUM(n) FROM
		(SELECT ROW_NUMBER() OVER (PARTITION BY stream ORDER BY version) AS n FROM {events}) AS s`},
	{"window: type before", `SELECT COUNT(*) FROM (SELECT type, LAG(type)
		OVER (PARTITION BY stream ORDER BY version) AS earlier FROM {events}) AS s WHERE type = earlier`},
	{"window: running sum", `SELECT SUM(n) FROM
		(SELECT SUM({amount}) OVER (PARTITION BY stream ORDER BY version) AS n FROM {events}) AS s`},
	{"ten events from the middle", `SELECT stream, version FROM {events} ORDER BY position
		LIMIT 10 OFFSET {half}`},
}

// A reporter is a peer that answers questions in SQL.
type reporter interface {
	// reportNames are what a reportQuery's table and fields are called here.
	reportNames() (events, amount, customer string)
	database() *sql.DB
}

func (s *sqlStore) reportNames() (events, amount, customer string) {
	return "events", s.dialect.amount, s.dialect.customer
}

func (s *sqlStore) database() *sql.DB { return s.db }

func (s *postgresStore) reportNames() (events, amount, customer string) { return s.table.reportNames() }

func (s *postgresStore) database() *sql.DB { return s.table.db }

func (s *eventfoldSQL) reportNames() (events, amount, customer string) {
	return "$all", "payload->>'$.amount'", "payload->>'$.customer'"
}

func (s *eventfoldSQL) database() *sql.DB { return s.db }

// ask asks a peer a report's question of that many events and returns the answer, a line for each row.
func (q reportQuery) ask(ctx context.Context, r reporter, events int) (string, error) {
	table, amount, customer := r.reportNames()
	text := strings.NewReplacer("{events}", table, "{amount}", amount, "{customer}", customer,
		"{half}", strconv.Itoa(events/2)).Replace(q.text)
	rows, err := r.database().QueryContext(ctx, text)
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

// reports asks a store that is open every report's question. One that fails or takes too long is told
// in the report and is no figure.
func (j job) reports(p peer) (results []result) {
	r, ok := p.(reporter)
	if !ok {
		return nil
	}
	for _, q := range reportQueries {
		results = append(results, j.report(q, r))
	}
	return results
}

func (j job) report(q reportQuery, r reporter) result {
	ctx, cancel := context.WithTimeout(context.Background(), reportDeadline)
	defer cancel()
	one := result{Metric: q.name}
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
