package eventfold

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
)

// Statements makes a Setup of a [Projection] of statements of its database, which are run in this
// order, one at a time. As a Setup is run again after a reset, they remove what is there, as with
// DROP TABLE IF EXISTS, before they make it.
func Statements(statements ...string) func(ctx context.Context, tx *sql.Tx) error {
	return func(ctx context.Context, tx *sql.Tx) error {
		for i, statement := range statements {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("statement %d of %d: %w", i+1, len(statements), err)
			}
		}
		return nil
	}
}

// HandleTyped makes a Handle of a [Projection] of one that takes the Go values that
// [DefaultRegistry] decodes. E is the type that is registered for the events which Query selects, or
// where these are several an interface that all of their types have, such as any, of which handle
// makes the difference.
//
// An event whose content was erased is passed over, unless E is [Event] or an interface that Event
// has, which any is: then it comes as the Event that it is. One that is not registered, or whose type
// is no E, is an error as any of Handle: nothing that Query selects is left out in silence.
func HandleTyped[E any](
	handle func(ctx context.Context, tx *sql.Tx, event E, d Delivery) error,
) func(ctx context.Context, tx *sql.Tx, d Delivery) error {
	return HandleTypedBy(DefaultRegistry, handle)
}

// HandleTypedBy is HandleTyped with another registry.
func HandleTypedBy[E any](
	r *Registry, handle func(ctx context.Context, tx *sql.Tx, event E, d Delivery) error,
) func(ctx context.Context, tx *sql.Tx, d Delivery) error {
	return func(ctx context.Context, tx *sql.Tx, d Delivery) error {
		value, err := r.Decode(d.Event)
		if err != nil {
			return err
		}
		event, ok := value.(E)
		switch {
		case ok:
			return handle(ctx, tx, event, d)
		case d.Redacted:
			return nil
		}
		return fault(ErrValue, "project", "event at position %d in stream %q: a %T is no %v, which Handle takes; "+
			"have Query select other types, or Handle take any", d.Position, d.Stream, value, reflect.TypeFor[E]())
	}
}
