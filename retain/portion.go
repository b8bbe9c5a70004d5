package retain

import (
	"context"
	"database/sql"
	"strings"
)

// Rules are planned and run in portions, so that no statement holds more than a little: of so many
// positions, and where a rule keeps the last of each stream, of so many streams and versions.
const (
	portionPositions = 1_000_000
	portionStreams   = 100
	portionVersions  = 100_000
)

// The store's own streams, whose events cannot be erased, and events whose content is not erased yet
// and can be.
const (
	erasable = "stream NOT IN ('$erasures', '$views')"
	left     = "NOT redacted AND " + erasable
)

// portions calls do with conditions that together name all events of a rule, each event once, until
// an error ends it.
func (rule *Rule) portions(ctx context.Context, db DB, do func(condition) error) error {
	of := rule.condition()
	if len(rule.Types) > 0 {
		of.and(inList("type", len(rule.Types)), anys(rule.Types)...)
	}
	if rule.OlderThan != (Age{}) {
		t, err := before(ctx, db, rule.OlderThan)
		if err != nil {
			return err
		}
		of.and("recorded_at < ?", t)
	}
	if rule.KeepLast > 0 {
		return rule.streamPortions(ctx, db, of, do)
	}
	return positionPortions(ctx, db, of, do)
}

// positionPortions divides by positions, from the first event that is left to the last one. Each
// of the two is one question, which the store answers from its end of the log.
func positionPortions(ctx context.Context, db DB, of condition, do func(condition) error) error {
	all := of.with(left)
	var first, last sql.NullInt64
	for text, place := range map[string]*sql.NullInt64{"MIN": &first, "MAX": &last} {
		row := db.QueryRowContext(ctx, "SELECT "+text+"(position) FROM $all WHERE "+all.text, all.args...)
		if err := row.Scan(place); err != nil || !place.Valid {
			return err
		}
	}
	for from := first.Int64; from <= last.Int64; from += portionPositions {
		to := min(from+portionPositions-1, last.Int64)
		if err := do(of.with("position BETWEEN ? AND ?", from, to)); err != nil {
			return err
		}
	}
	return nil
}

// A streamPart is some versions of a stream.
type streamPart struct {
	stream   string
	from, to int64 // the first and the last version
}

// streamPortions divides by streams: of each, the versions in front of the last ones.
func (rule *Rule) streamPortions(
	ctx context.Context, db DB, of condition, do func(condition) error,
) error {
	streams, err := rule.longStreams(ctx, db)
	if err != nil {
		return err
	}
	var parts []streamPart
	size := int64(0)
	flush := func() error {
		if len(parts) == 0 {
			return nil
		}
		c := of.with(partsText(len(parts)), partsArgs(parts)...)
		parts, size = parts[:0], 0
		return do(c)
	}
	for _, s := range streams {
		for from := int64(0); from <= s.to; from += portionVersions {
			part := streamPart{s.stream, from, min(from+portionVersions-1, s.to)}
			if n := part.to - from + 1; len(parts) == portionStreams || size+n > portionVersions {
				if err := flush(); err != nil {
					return err
				}
			}
			parts, size = append(parts, part), size+part.to-from+1
		}
	}
	return flush()
}

func partsText(n int) string {
	const part = "stream = ? AND version BETWEEN ? AND ?"
	return "(" + strings.TrimSuffix(strings.Repeat(part+" OR ", n), " OR ") + ")"
}

func partsArgs(parts []streamPart) (args []any) {
	for _, p := range parts {
		args = append(args, p.stream, p.from, p.to)
	}
	return args
}

// longStreams lists the streams that have more events than the rule keeps, with the last version
// that it does not.
func (rule *Rule) longStreams(ctx context.Context, db DB) (list []streamPart, err error) {
	c := rule.condition().with("version >= ? AND "+erasable, rule.KeepLast)
	rows, err := db.QueryContext(ctx, "SELECT stream, version FROM $streams WHERE "+c.text, c.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s streamPart
		if err := rows.Scan(&s.stream, &s.to); err != nil {
			return nil, err
		}
		s.to -= rule.KeepLast
		list = append(list, s)
	}
	return list, rows.Err()
}
