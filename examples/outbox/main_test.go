package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
)

// fill appends n events and returns the store.
func fill(t *testing.T, store string, n int) {
	t.Helper()
	db, err := sql.Open("eventfold", store)
	require.NoError(t, err)
	defer db.Close()
	for i := range n {
		_, err := eventfold.AppendEvents(t.Context(), db, "order-1", eventfold.Any,
			eventfold.NewEvent{Type: "Placed", Payload: fmt.Appendf(nil, `{"n": %d}`, i)})
		require.NoError(t, err)
	}
}

// until runs the program until something holds.
func until(t *testing.T, store string, open func() (sink, error), holds func() bool) {
	t.Helper()
	to, err := open()
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, store, to) }() // ends with cancel
	assert.Eventually(t, holds, time.Minute, time.Millisecond)
	cancel()
	assert.ErrorIs(t, <-ended, context.Canceled)
}

func TestEveryEventIsInTheFileOnceWhereverItWasCutOff(t *testing.T) {
	dir := t.TempDir()
	store, name := filepath.Join(dir, "store"), filepath.Join(dir, "published")
	fill(t, store, 5)
	open := func() (sink, error) { return openSink(name, "", "") }
	lines := func() int {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		return bytes.Count(text, []byte("\n"))
	}
	until(t, store, open, func() bool { return lines() == 5 })
	whole, err := os.ReadFile(name)
	require.NoError(t, err)
	for cut := 0; cut <= len(whole); cut += 17 { // a crash may leave any beginning of it
		require.NoError(t, os.WriteFile(name, whole[:cut], 0o600))
		until(t, store, open, func() bool { return lines() == 5 })
		again, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Equal(t, string(whole), string(again))
	}
	require.NoError(t, os.WriteFile(name, []byte("a letter\n"), 0o600))
	_, err = open()
	assert.ErrorContains(t, err, "no published event")
}

func TestAServerThatFailsNowAndThenGetsEveryEventInItsOrder(t *testing.T) {
	dir := t.TempDir()
	store := filepath.Join(dir, "store")
	fill(t, store, 5)
	var mu sync.Mutex // protects what follows
	var got []int64
	seen, requests := map[string]bool{}, 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		var m message
		if assert.NoError(t, json.NewDecoder(r.Body).Decode(&m)) && !seen[r.Header.Get("Idempotency-Key")] {
			seen[r.Header.Get("Idempotency-Key")] = true
			got = append(got, m.Position)
		}
		if requests++; requests%3 == 0 { // it has been taken, and the answer gets lost
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	defer s.Close()
	open := func() (sink, error) { return openSink("", s.URL, filepath.Join(dir, "next")) }
	count := func(n int) func() bool {
		return func() bool { mu.Lock(); defer mu.Unlock(); return len(got) == n && requests > n }
	}
	until(t, store, open, count(5))
	fill(t, store, 2)
	until(t, store, open, count(7))
	assert.Equal(t, []int64{0, 1, 2, 3, 4, 5, 6}, got)
}

func TestWhereToIsSaidOnce(t *testing.T) {
	_, err := openSink("", "", "")
	assert.Error(t, err)
	_, err = openSink("a", "b", "")
	assert.Error(t, err)
}
