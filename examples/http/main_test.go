package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/eventfoldtest"
)

// A service is one that runs for a test.
type service struct {
	t    *testing.T
	at   string
	stop func() error
}

func serve(t *testing.T, data string) *service {
	t.Helper()
	listener, err := net.Listen("tcp", "localhost:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, listener, data) }() // ends with stop, which the test calls at its end
	s := &service{t: t, at: "http://" + listener.Addr().String()}
	s.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { assert.NoError(t, s.stop()) })
	return s
}

// ask returns the status and the body that a request is answered with.
func (s *service) ask(method, path, body, key string) string {
	r, err := http.NewRequest(method, s.at+path, strings.NewReader(body))
	require.NoError(s.t, err)
	r.Header.Set("Idempotency-Key", key)
	answer, err := http.DefaultClient.Do(r)
	require.NoError(s.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(s.t, err)
	return fmt.Sprint(answer.StatusCode, " ", strings.TrimSpace(string(text)))
}

func TestAShopTakesOrdersAndRemembersThem(t *testing.T) {
	data := t.TempDir()
	s := serve(t, data)
	assert.Equal(t, `200 {}`, s.ask("GET", "/customers", "", ""))
	placed := s.ask("POST", "/orders/1", `{"customer": "ada", "total": 12}`, "k1")
	assert.Contains(t, placed, `200 {"Events":[{"Position":0,`)
	again := s.ask("POST", "/orders/1", `{"customer": "ada", "total": 12}`, "k1")
	assert.Contains(t, again, `"Duplicate":true`, "the client has not seen the answer")
	assert.Equal(t, "409 there is such an order, or the coupon is used", s.ask("POST", "/orders/1", `{"customer": "bob"}`, ""))
	assert.Contains(t, s.ask("POST", "/orders/2", `no JSON`, ""), "409 an order is JSON")
	assert.Equal(t, "409 there is no such order to be paid", s.ask("POST", "/orders/2/pay", "", ""))
	assert.Contains(t, s.ask("POST", "/orders/1/pay", "", "k2"), "200 ")
	assert.Contains(t, s.ask("POST", "/orders/1/pay", "", "k2"), "200 ", "again")
	assert.Contains(t, s.ask("POST", "/orders/1/pay", "", ""), "409 ")
	assert.Equal(t, `200 {"Customer":"ada","Total":12,"Paid":true}`, s.ask("GET", "/orders/1", "", ""))
	assert.Contains(t, s.ask("POST", "/orders/2", `{"customer": "ada", "total": 30}`, ""), "200 ")
	assert.Equal(t, `200 {"ada":42}`, s.ask("GET", "/customers?position=2", "", ""), "what was written")
	metrics := s.ask("GET", "/metrics", "", "")
	assert.Contains(t, metrics, "eventfold_events 3\n")
	assert.Contains(t, metrics, `eventfold_projection_next_position{projection="customers",version="1"} 3`+"\n")
	assert.Contains(t, metrics, `eventfold_projection_lag_events{projection="customers",version="1"} 0`+"\n")
	require.NoError(t, s.stop())

	s = serve(t, data) // goes on where it was
	assert.Contains(t, s.ask("POST", "/orders/3", `{"customer": "bob", "total": 5}`, ""), "200 ")
	assert.Equal(t, `200 {"ada":42,"bob":5}`, s.ask("GET", "/customers?position=3", "", ""))
}

func TestACouponIsUsedOnceByWhoeverIsFirst(t *testing.T) {
	s := serve(t, t.TempDir())
	var mu sync.Mutex // protects granted
	granted := 0
	var group sync.WaitGroup
	for i := range 12 {
		group.Go(func() {
			answer := s.ask("POST", fmt.Sprintf("/orders/%d", i), `{"customer": "ada", "total": 1, "coupon": "X7"}`, "")
			mu.Lock()
			defer mu.Unlock()
			if strings.HasPrefix(answer, "200 ") {
				granted++
			}
		})
	}
	group.Wait()
	assert.Equal(t, 1, granted)
}

func TestAServiceWithoutItsDirectoryEnds(t *testing.T) {
	listener, err := net.Listen("tcp", "localhost:0")
	require.NoError(t, err)
	assert.Error(t, run(t.Context(), listener, filepath.Join(t.TempDir(), "missing")))
}

// TestWhoWaitsForAProjectionThatHasEndedIsAnswered, and so does not keep the service from ending.
func TestWhoWaitsForAProjectionThatHasEndedIsAnswered(t *testing.T) {
	tables, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "shop.sqlite"))
	require.NoError(t, err)
	defer tables.Close()
	running, end := context.WithCancel(t.Context())
	s := &shop{eventfoldtest.Open(t), tables, running}
	end()
	_, err = s.totals(t.Context(), httptest.NewRequest("GET", "/customers?position=7", nil))
	assert.ErrorIs(t, err, context.Canceled)
}

// TestTheServiceHasTheLinesThatTheReadmeSays: what it would need more is missing in the helpers.
func TestTheServiceHasTheLinesThatTheReadmeSays(t *testing.T) {
	code, err := os.ReadFile("main.go")
	require.NoError(t, err)
	assert.LessOrEqual(t, strings.Count(string(code), "\n"), 200)
}
