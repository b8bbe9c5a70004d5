package eventfold

import "context"

// Load folds the events of a stream to a state: fold gets each event with the state before it, the
// zero value of S at first. It returns the state and the version of the last event, which is what
// the next append expects: NoVersion, for which [Exact] expects that the stream is new, if there are
// no events. [Typed] makes a fold of one that takes Go values; a [Loader] keeps snapshots.
//
// In a transaction its own events are folded, too; the version is that of the last event that has
// one.
func Load[S any](ctx context.Context, db Querier, stream string, fold func(S, Event) (S, error)) (S, Version, error) {
	var state S
	return foldStream(ctx, db, stream, state, NoVersion, fold)
}

// foldStream goes on folding behind a version.
func foldStream[S any](ctx context.Context, db Querier, stream string, state S, version Version,
	fold func(S, Event) (S, error)) (S, Version, error) {
	query, args := `SELECT event FROM $all WHERE stream = ?`, []any{stream}
	if version != NoVersion {
		query, args = query+` AND version > ?`, append(args, int64(version))
	}
	err := eachEvent(ctx, db, query, args, func(e Event) (err error) {
		state, err = fold(state, e)
		version = max(version, e.Version)
		return err
	})
	if err != nil {
		var none S
		return none, NoVersion, err
	}
	return state, version, nil
}

// Typed makes a fold for [Load], [Decide] and a [Loader] of one that takes events as the Go values
// that [DefaultRegistry] decodes. An event whose content was erased comes as the [Event] that it is;
// one that is not registered is an error.
func Typed[S any](apply func(state S, event any) S) func(S, Event) (S, error) {
	return TypedBy(DefaultRegistry, apply)
}

// TypedBy is Typed with another registry.
func TypedBy[S any](r *Registry, apply func(state S, event any) S) func(S, Event) (S, error) {
	return func(state S, e Event) (S, error) {
		value, err := r.Decode(e)
		if err != nil {
			return state, err
		}
		return apply(state, value), nil
	}
}
