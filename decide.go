package eventfold

import "context"

// Decide makes a decision that depends on all events which pass a filter, in whatever streams they
// are: it folds them to a state, has decide say which events follow, and appends those unless an
// event that passes the filter has come meanwhile; then it does everything again, as [Retry] does.
// What was read and what the append is guarded by is one filter, so that the two cannot differ.
//
// decide returns what is to be appended; nothing, or an error, ends Decide. It may be called several
// times and must do nothing else. Each Draft names its stream. fold gets each event with the state
// before it, the zero value at first; see [Typed] for one with Go values.
//
// Under [WithRequest] a decision that has appended something before is not made again: Decide
// returns where its events are. It knows them by the ids of the request, so that no Draft has one of
// its own then. Other decisions and appends may stand before and behind it under the same request.
//
// db is a *sql.DB as a rule. In a *sql.Tx the decision is made once, on the snapshot of the
// transaction, and a conflict is COMMIT's.
func Decide[S any](ctx context.Context, db Querier, filter Filter, fold func(S, Event) (S, error),
	decide func(state S) ([]Draft, error)) (done Appended, err error) {
	once := func(ctx context.Context) error {
		state, seen, err := foldFilter(ctx, db, filter, fold)
		if err != nil {
			return err
		}
		events, err := decide(state)
		if err != nil || len(events) == 0 {
			return err
		}
		list := []any{Guard{Filter: filter, After: seen}}
		for _, d := range events {
			if d.Stream == "" {
				return fault(ErrArgument, "append", "a Draft of Decide names the Stream that it goes to")
			}
			list = append(list, d)
		}
		done, err = AppendEvents(ctx, db, "", Any, list...)
		return err
	}
	request := requestOf(ctx)
	if a, before, err := request.again(ctx, db); before || err != nil {
		return a, err
	}
	if !inTransaction(db) {
		err = Retry(ctx, once)
		return done, err
	}
	call := request.count()
	err = once(ctx)
	request.over(call, request.count(), err)
	return done, err
}

// foldFilter folds the events that pass a filter, and returns the position up to which none is
// missing.
func foldFilter[S any](ctx context.Context, db Querier, filter Filter,
	fold func(S, Event) (S, error)) (S, Position, error) {
	var state S
	head, err := headOf(ctx, db) // before the events are read, which are therefore all before it
	if err != nil {
		return state, NoPosition, err
	}
	seen := head - 1
	query := "SELECT event FROM $all WHERE " + filter.condition()
	err = eachEvent(ctx, db, query, filter.args, func(e Event) (err error) {
		state, err = fold(state, e)
		seen = max(seen, e.Position)
		return err
	})
	return state, seen, err
}
