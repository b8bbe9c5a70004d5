package integration

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
)

// An appendCall is one append with an expected version, or a read of the stream's version if read
// is true.
type appendCall struct {
	stream string
	expect engine.ExpectedVersion
	read   bool
}

// An appendReply is its outcome: the version given, or the actual version of a refusal or of a
// read.
type appendReply struct {
	ok      bool
	version engine.Version
}

// streamModel is a stream as one number: its last version. Streams are independent of each other.
var streamModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byStream := map[string][]porcupine.Operation{}
		for _, op := range history {
			s := op.Input.(appendCall).stream
			byStream[s] = append(byStream[s], op)
		}
		var parts [][]porcupine.Operation
		for _, part := range byStream {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return engine.NoVersion },
	Step: func(state, input, output any) (bool, any) {
		last, call, reply := state.(engine.Version), input.(appendCall), output.(appendReply)
		switch {
		case call.read:
			return reply.version == last, last
		case !call.expect.Holds(last):
			return !reply.ok && reply.version == last, last
		default:
			return reply.ok && reply.version == last+1, last + 1
		}
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v -> %+v", input, output) },
}

// TestExpectedVersionsAreLinearizable lets goroutines append to few streams with every kind of
// expected version, records when each call began and ended, and asks porcupine for an order that
// explains all answers.
func TestExpectedVersionsAreLinearizable(t *testing.T) {
	for round := range budget(t, "EVENTFOLD_LINEARIZABLE_ROUNDS", 5, 0) {
		s, err := filestore.Open(t.TempDir(), filestore.Options{})
		require.NoError(t, err)
		clients := recorder[appendCall, appendReply]{8, 150, func(r *rand.Rand) appendCall { return randomCall(r, s) },
			func(call appendCall) (appendReply, error) { return makeCall(s, call) }}
		history := clients.history(t, testenv.Seed(t)+uint64(round))
		require.NoError(t, s.Close())
		require.Equal(t, porcupine.Ok, porcupine.CheckOperationsTimeout(streamModel, history, time.Minute),
			"%d operations", len(history))
		t.Logf("%d operations are linearizable", len(history))
	}
}

func randomCall(r *rand.Rand, s engine.Store) appendCall {
	stream := fmt.Sprint("s", r.IntN(3))
	if r.IntN(4) == 0 {
		return appendCall{stream: stream, read: true}
	}
	last, _, err := s.ReadIndex().StreamVersion(stream)
	if err != nil {
		last = 0
	}
	expect := []engine.ExpectedVersion{
		engine.Any, engine.NoStream, engine.StreamExists, engine.Exact(last), engine.Exact(last),
		engine.Exact(last + 1),
	}[r.IntN(6)]
	return appendCall{stream: stream, expect: expect}
}

func makeCall(s engine.Store, call appendCall) (appendReply, error) {
	if call.read {
		v, _, err := s.ReadIndex().StreamVersion(call.stream)
		return appendReply{true, v}, err
	}
	done, err := s.Append(context.Background(), engine.Append{
		Stream: call.stream,
		Expect: []engine.Expectation{call.expect},
		Events: []engine.NewEvent{{Type: "T"}},
	})
	var conflict *engine.ConflictError
	if errors.As(err, &conflict) {
		return appendReply{false, conflict.Checks[0].Actual}, nil
	}
	if err != nil {
		return appendReply{}, err
	}
	return appendReply{true, done.Events[0].Version}, nil
}

// TestTheCheckerSeesALie: a history with a version given twice has no order.
func TestTheCheckerSeesALie(t *testing.T) {
	call := appendCall{stream: "s", expect: engine.Any}
	history := []porcupine.Operation{
		{ClientId: 0, Input: call, Call: 0, Output: appendReply{true, 0}, Return: 10},
		{ClientId: 1, Input: call, Call: 5, Output: appendReply{true, 0}, Return: 15},
	}
	require.False(t, porcupine.CheckOperations(streamModel, history))
}
