package retain

import (
	"context"
	"database/sql"
	"time"
)

// An Outlook is what a rule names, as Plan tells it.
type Outlook struct {
	Rule           string
	Events         int64     // whose content is not erased yet
	Oldest, Newest time.Time // recorded_at of the first and the last of them; zero for none
}

// Plan tells what each rule would erase now. It erases nothing, and works with mode=ro. An event
// that several rules name is counted by each of them. An error is a *RuleError, and what has been
// planned before it is returned, too.
func (p *Policy) Plan(ctx context.Context, db DB) ([]Outlook, error) {
	var plan []Outlook
	for i := range p.Rules {
		o := Outlook{Rule: p.Rules[i].Name}
		err := p.Rules[i].portions(ctx, db, func(c condition) error { return o.add(ctx, db, c.with(left)) })
		if err != nil {
			return plan, &RuleError{p.Rules[i].Name, err}
		}
		plan = append(plan, o)
	}
	return plan, nil
}

// add counts the events of a portion.
func (o *Outlook) add(ctx context.Context, db DB, c condition) error {
	var n int64
	var oldest, newest sql.NullTime
	const text = "SELECT COUNT(*), MIN(recorded_at), MAX(recorded_at) FROM $all WHERE "
	err := db.QueryRowContext(ctx, text+c.text, c.args...).Scan(&n, &oldest, &newest)
	if err != nil || n == 0 {
		return err
	}
	if o.Oldest.IsZero() || oldest.Time.Before(o.Oldest) {
		o.Oldest = oldest.Time
	}
	if newest.Time.After(o.Newest) {
		o.Newest = newest.Time
	}
	o.Events += n
	return nil
}
