package filestore

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/google/uuid"
)

// BenchmarkCommitGroup measures what an append of one event, of 100 and of 1,000 costs apart from
// the disk: orders of 256 bytes of JSON with 64 bytes of metadata, in streams of ten, each with the
// version that it expects, in memory.
//
// cpu-ns/event is the CPU time of the process for each event. Bad news: more than 1,000 in groups
// of 1,000.
func BenchmarkCommitGroup(b *testing.B) {
	for _, events := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("events=%d", events), func(b *testing.B) {
			s, err := Open("bench", Options{FS: vfs.NewMem()})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			batch := orders(events)
			b.ReportAllocs()
			began, n := cpuTime(), 0
			for b.Loop() {
				renameStreams(batch)
				if _, err := s.Append(context.Background(), batch...); err != nil {
					b.Fatal(err)
				}
				n += events
			}
			b.ReportMetric(float64((cpuTime()-began).Nanoseconds())/float64(n), "cpu-ns/event")
		})
	}
}

// orders returns appends of one event each, ten to a stream.
func orders(events int) []engine.Append {
	const head, tail = `{"order":123456789,"customer":"c-004711","amount":1999,"currency":"EUR","lines":[{"sku":"A-0815","n":2}],"note":"`, `"}`
	payload := []byte(head + strings.Repeat("x", 256-len(head)-len(tail)) + tail)
	metadata := []byte(`{"user":"u-00042","trace":"` + strings.Repeat("0", 64-29) + `"}`)
	batch := make([]engine.Append, events)
	for i := range batch {
		batch[i] = engine.Append{
			Expect: []engine.Expectation{engine.Exact(engine.Version(i%10 - 1))},
			Events: []engine.NewEvent{{
				Type:     fmt.Sprintf("OrderEvent%02d", i%12),
				Payload:  payload,
				Metadata: metadata,
			}},
		}
	}
	return batch
}

// renameStreams gives the appends streams that are not there yet.
func renameStreams(batch []engine.Append) {
	var stream string
	for i := range batch {
		if i%10 == 0 {
			stream = uuid.NewString()
		}
		batch[i].Stream = stream
	}
}
