package retain

import (
	"context"
	"strings"
	"time"
)

// A condition is an SQL condition with its arguments, in the order of their placeholders.
type condition struct {
	text string
	args []any
}

// and adds another condition.
func (c *condition) and(text string, args ...any) {
	if c.text != "" {
		c.text += " AND "
	}
	c.text += text
	c.args = append(c.args[:len(c.args):len(c.args)], args...)
}

// with is the condition and another one.
func (c condition) with(text string, args ...any) condition {
	c.and(text, args...)
	return c
}

// condition is what the rule says of streams.
func (rule *Rule) condition() (c condition) {
	switch {
	case len(rule.Categories) == 1 && plain(rule.Categories[0]): // the pattern leads to the indexes
		c.and("(stream = ? OR stream LIKE ?)", rule.Categories[0], rule.Categories[0]+"-%")
		fallthrough
	case len(rule.Categories) > 0:
		c.and(inList("category(stream)", len(rule.Categories)), anys(rule.Categories)...)
	}
	if rule.Streams != "" {
		if i := strings.IndexAny(rule.Streams, "*?["); i > 0 && plain(rule.Streams[:i]) {
			c.and("stream LIKE ?", rule.Streams[:i]+"%")
		}
		c.and("glob(?, stream)", rule.Streams)
	}
	return c
}

// plain reports whether a text means itself in a pattern of LIKE.
func plain(text string) bool { return !strings.ContainsAny(text, "%_") }

func inList(what string, n int) string {
	return what + " IN (" + strings.TrimSuffix(strings.Repeat("?, ", n), ", ") + ")"
}

func anys(texts []string) []any {
	list := make([]any, len(texts))
	for i, t := range texts {
		list[i] = t
	}
	return list
}

// before returns the time before which an event was recorded that is as old as the age, by the
// clock of the store.
func before(ctx context.Context, db DB, age Age) (t time.Time, err error) {
	const text = "SELECT now() - INTERVAL ? MONTH - INTERVAL ? DAY - INTERVAL ? MICROSECOND"
	err = db.QueryRowContext(ctx, text, age.Months, age.Days, age.Rest.Microseconds()).Scan(&t)
	return t, err
}
