package retain

import (
	"context"
	"errors"
	"time"
)

// An Erased is what a rule has erased, as Run tells it.
type Erased struct {
	Rule   string
	Events int64
}

// Run erases what the rules name, one rule after the other, in portions: a large rule makes several
// erasures. What a rule has erased the next one does not find. An error, a context that ends among
// them, is a *RuleError; what has been erased before it stays so, and is returned, too. Running it
// again goes on with what is left.
func (p *Policy) Run(ctx context.Context, db DB) ([]Erased, error) {
	var done []Erased
	for i := range p.Rules {
		rule := &p.Rules[i]
		e := Erased{Rule: rule.Name}
		err := rule.portions(ctx, db, func(c condition) error {
			text := "ERASE FROM $all WHERE " + c.text + " REASON ?"
			result, err := db.ExecContext(ctx, text, append(c.args[:len(c.args):len(c.args)], rule.Reason)...)
			if err != nil {
				return err
			}
			n, err := result.RowsAffected()
			e.Events += n
			return err
		})
		done = append(done, e)
		if err != nil {
			return done, &RuleError{rule.Name, err}
		}
	}
	return done, nil
}

var errInterval = errors.New("retain: the interval must be longer than nothing")

// Every runs the policy at once, and again whenever the interval has passed since the end of the
// last run, until ctx ends, whose error it returns. told gets what each run has erased, and its
// error if it had one; what told returns, if that is an error, ends Every as well. If told is nil
// the first error does. Every starts no goroutine.
func (p *Policy) Every(
	ctx context.Context, db DB, interval time.Duration, told func([]Erased, error) error,
) error {
	if told == nil {
		told = func(_ []Erased, err error) error { return err }
	}
	if interval <= 0 {
		return errInterval
	}
	for {
		done, err := p.Run(ctx, db)
		err = told(done, err)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return err
		}
		timer := time.NewTimer(interval)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}
