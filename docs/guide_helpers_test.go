package docs

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/eventfoldtest"
)

// The Go code of the chapter on helpers of guide.md.

// A Moved says that a copy stands on another shelf.
type Moved struct {
	Shelf string `json:"shelf"`
}

// relocate decides what moveCopy decides, until nobody was faster.
func relocate(ctx context.Context, db *sql.DB, stream, shelf string) error {
	fold := func(s copyState, e eventfold.Event) (copyState, error) {
		err := s.apply(e)
		return s, err
	}
	return eventfold.Retry(ctx, func(ctx context.Context) error {
		state, version, err := eventfold.Load(ctx, db, stream, fold)
		if err != nil {
			return err
		}
		if state.lentTo != "" {
			return errLent
		}
		_, err = eventfold.AppendEvents(ctx, db, stream, eventfold.Exact(version), Moved{Shelf: shelf})
		return err
	})
}

func TestRelocateMovesACopy(t *testing.T) {
	db := library()
	defer db.Close()
	require.NoError(t, relocate(t.Context(), db, "copy-12", "C2"))
	state, err := loadCopy(t.Context(), db, "copy-12")
	require.NoError(t, err)
	assert.Equal(t, "C2", state.shelf)
	require.NoError(t, lend(t.Context(), db, "12", "7"))
	assert.ErrorIs(t, relocate(t.Context(), db, "copy-12", "D1"), errLent)
}

// A Lent says that a copy is with a member.
type Lent struct {
	Copy   string `json:"copy"`
	Member string `json:"member"`
}

// EventTags are what decisions find the event by.
func (l Lent) EventTags() []string { return []string{"copy:" + l.Copy, "member:" + l.Member} }

// A Returned says that it is back.
type Returned Lent

// EventTags are those of the loan.
func (r Returned) EventTags() []string { return Lent(r).EventTags() }

// types are the events that decisions about loans know.
var types = eventfold.NewRegistry()

func init() {
	eventfold.Register[Lent](types, "Lent")
	eventfold.Register[Returned](types, "Returned")
}

// loans are what the decision needs to know: of the copy, and of the member.
type loans struct {
	out   bool
	count int
}

// after is what an event makes of loans when a loan is asked for.
func (s loans) after(e any, asked Lent) loans {
	lent, out := e.(Lent)
	if returned, ok := e.(Returned); ok {
		lent = Lent(returned)
	}
	if lent.Copy == asked.Copy {
		s.out = out
	}
	if lent.Member == asked.Member && out {
		s.count++
	} else if lent.Member == asked.Member {
		s.count--
	}
	return s
}

// borrow decides what lend decides. What it reads and what guards its append is one filter.
func borrow(ctx context.Context, db *sql.DB, copyNumber, member string) error {
	asked := Lent{Copy: copyNumber, Member: member}
	about := eventfold.WithTags("copy:" + copyNumber).Or(eventfold.WithTags("member:" + member)).
		And(eventfold.OfTypes("Lent", "Returned"))
	fold := eventfold.TypedBy(types, func(s loans, e any) loans { return s.after(e, asked) })
	_, err := eventfold.Decide(ctx, db, about, fold, func(s loans) ([]eventfold.Draft, error) {
		switch {
		case s.out:
			return nil, errLent
		case s.count >= maxLoans:
			return nil, errTooMany
		}
		return []eventfold.Draft{{Stream: "copy-" + copyNumber, Event: asked}}, nil
	})
	return err
}

func TestBorrowDecidesAsLendDoes(t *testing.T) {
	ctx, db := t.Context(), library()
	defer db.Close()
	for i := range maxLoans {
		require.NoError(t, borrow(ctx, db, fmt.Sprint(20+i), "7"))
	}
	assert.ErrorIs(t, borrow(ctx, db, "20", "8"), errLent)
	assert.ErrorIs(t, borrow(ctx, db, "12", "7"), errTooMany)
	_, err := eventfold.AppendEvents(ctx, db, "copy-20", eventfold.StreamExists, Returned{Copy: "20", Member: "7"})
	require.NoError(t, err)
	assert.NoError(t, borrow(ctx, db, "20", "8"))
	assert.NoError(t, borrow(ctx, db, "12", "7"))
}

func TestACopyIsLentOnce(t *testing.T) {
	toAda := eventfold.Draft{Stream: "copy-12", Event: Lent{Copy: "12", Member: "7"}}
	eventfoldtest.Given(t).
		When(func(ctx context.Context, db *sql.DB) error { return borrow(ctx, db, "12", "7") }).
		Then(toAda).
		When(func(ctx context.Context, db *sql.DB) error { return borrow(ctx, db, "12", "8") }).
		ThenError(errLent)
}

// A LentUntil is what Lent has become: it says until when.
type LentUntil struct {
	Member string `json:"member"`
	Until  string `json:"until"`
}

// registerUpcast reads payloads of the first schema as those of today.
func registerUpcast(r *eventfold.Registry) {
	type first struct{ Who string }
	eventfold.Register[LentUntil](r, "Lent", eventfold.Upcast(func(old first) LentUntil {
		return LentUntil{Member: old.Who, Until: "unknown"}
	}))
}

func TestAnOldLoanIsReadAsANewOne(t *testing.T) {
	registry := eventfold.NewRegistry()
	registerUpcast(registry)
	event, err := registry.Decode(eventfold.Event{Type: "Lent", Payload: []byte(`{"who": "7"}`)})
	require.NoError(t, err)
	assert.Equal(t, LentUntil{Member: "7", Until: "unknown"}, event)
}
