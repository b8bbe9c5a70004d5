package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func newDecider(t *testing.T) *decider {
	t.Helper()
	db, err := sql.Open("eventfold", t.TempDir()+"/store")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return &decider{db: db}
}

func (d *decider) number(t *testing.T, query string, args ...any) (n int) {
	t.Helper()
	require.NoError(t, d.db.QueryRow(query, args...).Scan(&n), query)
	return n
}

func TestRun(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), t.TempDir()+"/store", &out))
	assert.Equal(t, `course subscriptions: 10 granted, 6 refused
unique username: 1 granted, 15 refused
dynamic price: 16 granted, 0 refused
invoice numbers: 16 granted, 0 refused
opt-in token: 1 granted, 15 refused
`, out.String())
}

// Sixteen students want every course at once: no course takes too many, no student has too many.
func TestCoursesAreNeverOverbooked(t *testing.T) {
	ctx, d := t.Context(), newDecider(t)
	const courses, capacity = 6, 7
	for c := range courses {
		require.NoError(t, d.defineCourse(ctx, fmt.Sprint(c), capacity))
	}
	_, _, err := compete(func(w int) error {
		for i := range courses {
			err := d.subscribe(ctx, fmt.Sprint(w), fmt.Sprint((w+i)%courses))
			if _, no := err.(refusal); err != nil && !no {
				return err
			}
		}
		return nil
	})
	require.NoError(t, err)
	perCourse := d.number(t,
		`SELECT MAX(n) FROM (SELECT COUNT(*) AS n FROM $all WHERE type = 'StudentSubscribed' GROUP BY stream)`)
	assert.LessOrEqual(t, perCourse, capacity)
	for w := range writers {
		n := d.number(t, `SELECT COUNT(*) FROM $all WHERE type = 'StudentSubscribed' AND HAS(tags, ?)`,
			fmt.Sprint("student:", w))
		assert.LessOrEqual(t, n, maxCourses)
	}
	total := d.number(t, `SELECT COUNT(*) FROM $all WHERE type = 'StudentSubscribed'`)
	assert.Equal(t, min(courses*capacity, writers*maxCourses), total, "whoever could have a place has one")
}

// Writers who decide about different things never have to decide again.
func TestNoSpuriousConflicts(t *testing.T) {
	ctx, d := t.Context(), newDecider(t)
	granted, _, err := compete(func(w int) error {
		course := fmt.Sprint("own-", w)
		if err := d.defineCourse(ctx, course, 100); err != nil {
			return err
		}
		for i := range 20 {
			if err := d.subscribe(ctx, fmt.Sprintf("%d-%d", w, i), course); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, writers, granted)
	assert.Equal(t, 20*writers, d.number(t, `SELECT COUNT(*) FROM $all WHERE type = 'StudentSubscribed'`))
	assert.Zero(t, d.conflicts.Load())
}

func TestUsernameIsUniqueAndFreedAgain(t *testing.T) {
	ctx, d := t.Context(), newDecider(t)
	for round := range 5 {
		granted, refused, err := compete(func(w int) error {
			return d.register(ctx, fmt.Sprintf("%d-%d", round, w), "ada")
		})
		require.NoError(t, err)
		assert.Equal(t, 1, granted)
		assert.Equal(t, writers-1, refused)
		require.NoError(t, d.closeAccount(ctx, "whoever", "ada"))
	}
}

func TestInvoiceNumbersHaveNoGaps(t *testing.T) {
	ctx, d := t.Context(), newDecider(t)
	_, _, err := compete(func(w int) error {
		for range 5 {
			if err := d.invoice(ctx, fmt.Sprint(w)); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, 5*writers, d.number(t, `SELECT COUNT(DISTINCT payload->>'$.number') FROM $all`))
	assert.Equal(t, 5*writers, d.number(t, `SELECT MAX(payload->>'$.number') FROM $all`))
	assert.Equal(t, 5*writers, d.number(t, `SELECT COUNT(*) FROM $all`))
}

func TestPriceGrace(t *testing.T) {
	ctx, d := t.Context(), newDecider(t)
	require.NoError(t, d.setPrice(ctx, "tea", 10))
	require.NoError(t, d.order(ctx, "tea", "1", 10, 0))
	require.NoError(t, d.setPrice(ctx, "tea", 12))
	assert.NoError(t, d.order(ctx, "tea", "2", 12, 0), "the new price")
	assert.NoError(t, d.order(ctx, "tea", "3", 10, time.Hour), "the old price, within the grace period")
	assert.Equal(t, refusal("the price is no longer valid"), d.order(ctx, "tea", "4", 10, 0), "the old price, after it")
	assert.Equal(t, refusal("the price is no longer valid"), d.order(ctx, "tea", "5", 11, time.Hour), "never a price")
}

func TestTokenConfirmsOnce(t *testing.T) {
	ctx, d := t.Context(), newDecider(t)
	require.NoError(t, d.signUp(ctx, "ada@example.com", "x7"))
	assert.Equal(t, refusal("there is no such token"), d.confirm(ctx, "ada@example.com", "x8", time.Hour))
	assert.Equal(t, refusal("the token has expired"), d.confirm(ctx, "ada@example.com", "x7", 0))
	granted, _, err := compete(func(int) error {
		return d.confirm(context.WithoutCancel(ctx), "ada@example.com", "x7", time.Hour)
	})
	require.NoError(t, err)
	assert.Equal(t, 1, granted)
	assert.Equal(t, 1, d.number(t, `SELECT COUNT(*) FROM $all WHERE type = 'SignUpConfirmed'`))
}
