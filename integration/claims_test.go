package integration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/internal/testenv"
)

// A claimCall is one transaction: INSERTs one after the other, each of rows that claim names, on
// the condition that nobody has claimed any of them. Without INSERTs it asks whether a name is
// claimed.
type claimCall struct {
	inserts [][]int
	name    int
}

// claimModel is the set of names that are claimed, as bits. The transaction succeeds if each INSERT
// finds its names free in what is there and what the INSERTs before it have claimed; the rows of
// one INSERT may claim a name twice.
var claimModel = porcupine.Model{
	Init: func() any { return uint64(0) },
	Step: func(state, input, output any) (bool, any) {
		claimed, call, ok := state.(uint64), input.(claimCall), output.(bool)
		if call.inserts == nil {
			return ok == (claimed&(1<<call.name) != 0), claimed
		}
		after := claimed
		for _, names := range call.inserts {
			asked := uint64(0)
			for _, n := range names {
				asked |= 1 << n
			}
			if after&asked != 0 {
				return !ok, claimed
			}
			after |= asked
		}
		return ok, after
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v -> %v", input, output) },
}

// TestConditionsAreLinearizable lets goroutines claim names in transactions of several INSERTs, and
// asks porcupine for an order that explains who got them.
func TestConditionsAreLinearizable(t *testing.T) {
	for round := range max(1, budget(t, "EVENTFOLD_LINEARIZABLE_ROUNDS", 5, 0)) {
		db, err := sql.Open("eventfold", t.TempDir())
		require.NoError(t, err)
		clients := recorder[claimCall, bool]{6, 30, func(r *rand.Rand) claimCall { return randomClaim(r, 40) },
			func(call claimCall) (bool, error) { return makeClaim(t.Context(), db, call) }}
		history := clients.history(t, testenv.Seed(t)+uint64(round))
		require.NoError(t, db.Close())
		require.Equal(t, porcupine.Ok, porcupine.CheckOperationsTimeout(claimModel, history, time.Minute),
			"%d operations", len(history))
		granted := 0
		for _, op := range history {
			if op.Output.(bool) && op.Input.(claimCall).inserts != nil {
				granted++
			}
		}
		require.NotZero(t, granted)
		t.Logf("%d operations are linearizable, %d claims were granted", len(history), granted)
	}
}

func randomClaim(r *rand.Rand, names int) claimCall {
	if r.IntN(4) == 0 {
		return claimCall{name: r.IntN(names)}
	}
	call := claimCall{}
	for range 1 + r.IntN(3) {
		insert := []int{r.IntN(names)}
		if r.IntN(2) == 0 {
			insert = append(insert, r.IntN(names))
		}
		call.inserts = append(call.inserts, insert)
	}
	return call
}

// makeClaim makes the call, and returns whether the names are, or have been, claimed.
func makeClaim(ctx context.Context, db *sql.DB, call claimCall) (bool, error) {
	if call.inserts == nil {
		var n int
		err := db.QueryRowContext(ctx, `SELECT COUNT(*) FROM $all WHERE type = ?`,
			fmt.Sprint("name-", call.name)).Scan(&n)
		return n > 0, err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer tx.Rollback()
	for i, names := range call.inserts {
		if err = claimNames(ctx, tx, i, names); err != nil {
			break
		}
	}
	if err == nil {
		err = tx.Commit()
	}
	if errors.Is(err, eventfold.ErrConditionFailed) {
		return false, nil
	}
	return err == nil, err
}

func claimNames(ctx context.Context, tx *sql.Tx, i int, names []int) error {
	var types []string
	for _, n := range names {
		types = append(types, fmt.Sprint("name-", n))
	}
	first, last := types[0], types[len(types)-1]
	text := `INSERT INTO $all (stream, type) VALUES (?, ?), (?, ?) EXPECTING NO EVENT FROM $all WHERE type IN (?, ?)`
	if i%2 == 1 { // one that the indexes cannot decide alone
		text = `INSERT INTO $all (stream, type) VALUES (?, ?), (?, ?) EXPECTING NO EVENT FROM $all WHERE type || '' ` +
			`IN (?, ?)`
	}
	_, err := tx.ExecContext(ctx, text, fmt.Sprint("s-", i), first, "t", last, first, last)
	return err
}

// TestTheCheckerSeesANameClaimedTwice: two INSERTs of one transaction that both get a name have no
// order that explains it.
func TestTheCheckerSeesANameClaimedTwice(t *testing.T) {
	check := func(inserts [][]int) bool {
		return porcupine.CheckOperations(claimModel, []porcupine.Operation{{
			Input:  claimCall{inserts: inserts},
			Call:   0,
			Output: true,
			Return: 1,
		}})
	}
	require.False(t, check([][]int{{7}, {3, 7}}))
	require.True(t, check([][]int{{7, 7}, {3}}))
}
