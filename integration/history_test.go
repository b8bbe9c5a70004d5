package integration

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// A recorder runs clients at the same time, each of which makes calls one after the other, and notes when each call began and ended.
type recorder[I, O any] struct {
	clients, calls int
	ask            func(*rand.Rand) I // what to call with; its time is not the call's
	call           func(I) (O, error) // an error fails the test and ends the client
}

// history runs the clients, whose random numbers the seed gives, and returns their calls in the order in which they ended.
func (c recorder[I, O]) history(t *testing.T, seed uint64) []porcupine.Operation {
	var mu sync.Mutex // protects history
	var history []porcupine.Operation
	var group sync.WaitGroup
	start := time.Now()
	for client := range c.clients {
		group.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(client)))
			for range c.calls {
				input := c.ask(r)
				began := time.Since(start).Nanoseconds()
				output, err := c.call(input)
				ended := time.Since(start).Nanoseconds()
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				history = append(history, porcupine.Operation{ClientId: client, Input: input, Call: began, Output: output, Return: ended})
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return history
}
