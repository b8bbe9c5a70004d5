// Rates measures appends to a cluster of three servers on this machine, beside publishing to JetStream
// as it is, by turns in one run: durable events of 256 bytes, each client with a stream of its own and
// an optimistic check. Then it reads what was appended from the node's copy and from a store of the same
// events, by turns.
//
//	go run ./internal/rates -seconds 5
//
// -profile writes what this process, which has the clients and both nodes, spends its time with. The
// servers sync what they acknowledge. They, the clients and two nodes share the machine's
// processors, so that the figures are those of that machine, and the ratio is what can be compared.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/jetstream"
	"github.com/eventfold/eventfold/jetstream/internal/servers"
)

func main() {
	servers.Main()
	seconds := flag.Float64("seconds", 5, "how long each measurement takes")
	profile := flag.String("profile", "", "a `file` for the profile of the processor")
	flag.Parse()
	if err := profiled(*profile, time.Duration(*seconds*float64(time.Second))); err != nil {
		fmt.Fprintln(os.Stderr, "rates:", err)
		os.Exit(1)
	}
}

// profiled runs the measurements, and writes a profile of them if it has a name.
func profiled(name string, took time.Duration) error {
	if name == "" {
		return run(context.Background(), took)
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	return run(context.Background(), took)
}

// A bench is what is measured.
type bench struct {
	dir  string
	took time.Duration // of each measurement
	a, b *jetstream.Store
	raw  js.JetStream
}

func run(ctx context.Context, took time.Duration) error {
	dir, err := os.MkdirTemp("", "rates")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c, err := servers.Start(ctx, dir, 3, nil)
	if err != nil {
		return err
	}
	defer c.Kill()
	x := &bench{dir: dir, took: took}
	config := jetstream.Config{URLs: c.URLs(), Bucket: "rates", Create: true, Local: filepath.Join(dir, "a")}
	if x.a, err = jetstream.Open(ctx, config); err != nil {
		return err
	}
	defer x.a.Close()
	config.Local = filepath.Join(dir, "b")
	if x.b, err = jetstream.Open(ctx, config); err != nil {
		return err
	}
	defer x.b.Close()
	conn, err := nats.Connect(c.URLs()[0])
	if err != nil {
		return err
	}
	defer conn.Close()
	if x.raw, err = js.New(conn); err != nil {
		return err
	}
	_, err = x.raw.CreateStream(ctx, js.StreamConfig{Name: "RAW", Subjects: []string{"raw.>"}, Replicas: 3,
		DenyDelete: true, DenyPurge: true, Duplicates: 5 * time.Minute, AllowAtomicPublish: true})
	if err != nil {
		return err
	}
	if err := x.table(ctx); err != nil {
		return err
	}
	return x.reads(ctx)
}

// table measures and prints a row for each number of clients.
func (x *bench) table(ctx context.Context) error {
	fmt.Println("clients | raw /s | p50 | p99 | eventfold /s | p50 | p99 | ratio | seen by the other node, p99")
	for _, clients := range []int{1, 16, 64, 256} {
		raw, err := x.measure(clients, func(client int) func() (engine.Position, error) { return x.publisher(ctx, clients, client) })
		if err != nil {
			return err
		}
		seen := x.watch(ctx)
		ours, err := x.measure(clients, func(client int) func() (engine.Position, error) { return x.appender(ctx, client, seen) })
		lag := seen.end()
		if err != nil {
			return err
		}
		fmt.Printf("%d | %.0f | %v | %v | %.0f | %v | %v | %.2f | %v\n", clients, raw.rate, raw.at(50), raw.at(99),
			ours.rate, ours.at(50), ours.at(99), ours.rate/raw.rate, lag.at(99))
	}
	return nil
}

// times are how long calls took, in order, and how many there were in a second.
type times struct {
	took []time.Duration
	rate float64
}

// at is the percentile.
func (t times) at(percent int) time.Duration {
	if len(t.took) == 0 {
		return 0
	}
	return t.took[(len(t.took)-1)*percent/100].Round(10 * time.Microsecond)
}

// measure has clients call what they are given again and again.
func (x *bench) measure(clients int, client func(int) func() (engine.Position, error)) (all times, err error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	began := time.Now()
	for n := range clients {
		call := client(n)
		wg.Go(func() {
			var took []time.Duration
			var failed error
			for time.Since(began) < x.took && failed == nil {
				start := time.Now()
				_, failed = call()
				took = append(took, time.Since(start))
			}
			mu.Lock()
			defer mu.Unlock()
			all.took = append(all.took, took...)
			if failed != nil {
				err = failed
			}
		})
	}
	wg.Wait()
	all.rate = float64(len(all.took)) / time.Since(began).Seconds()
	slices.Sort(all.took)
	return all, err
}

var payload = []byte(`"` + string(slices.Repeat([]byte("x"), 254)) + `"`)

// publisher publishes to a subject of its own, behind the last message that it has published.
func (x *bench) publisher(ctx context.Context, clients, client int) func() (engine.Position, error) {
	last := uint64(0)
	subject := fmt.Sprintf("raw.%d-%d", clients, client)
	return func() (engine.Position, error) {
		m := nats.NewMsg(subject)
		m.Data = payload
		m.Header.Set("Nats-Expected-Last-Subject-Sequence", strconv.FormatUint(last, 10))
		done, err := x.raw.PublishMsg(ctx, m)
		if err == nil {
			last = done.Sequence
			return 0, nil
		}
		last, err = x.lastOf(ctx, subject) // it may be stored all the same
		return 0, err
	}
}

// lastOf is the sequence of a subject's last message, 0 for none.
func (x *bench) lastOf(ctx context.Context, subject string) (uint64, error) {
	stream, err := x.raw.Stream(ctx, "RAW")
	if err != nil {
		return 0, err
	}
	m, err := stream.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, js.ErrMsgNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return m.Sequence, nil
}

// appender appends to a stream of its own, at the version that it has.
func (x *bench) appender(ctx context.Context, client int, seen *watcher) func() (engine.Position, error) {
	stream := fmt.Sprint("s-", client)
	version, ok, err := x.a.ReadIndex().StreamVersion(stream)
	if !ok {
		version = engine.NoVersion
	}
	return func() (engine.Position, error) {
		if err != nil {
			return 0, err
		}
		expect := engine.NoStream
		if version >= 0 {
			expect = engine.Exact(version)
		}
		done, err := x.a.Append(ctx, engine.Append{Stream: stream, Expect: []engine.Expectation{expect},
			Events: []engine.NewEvent{{Type: "t", Payload: payload}}})
		if err != nil {
			return 0, err
		}
		version = done.Events[0].Version
		seen.note(done.Events[0].Position)
		return done.Events[0].Position, nil
	}
}

// A watcher measures when another node sees what was appended, from when the append has returned.
type watcher struct {
	appended chan noted
	done     chan times
}

type noted struct {
	p  engine.Position
	at time.Time
}

// watch begins to watch. end ends its goroutine.
func (x *bench) watch(ctx context.Context) *watcher {
	w := &watcher{appended: make(chan noted, 1), done: make(chan times, 1)}
	go func() {
		var all times
		for n := range w.appended {
			if x.b.Wait(ctx, n.p) == nil {
				all.took = append(all.took, time.Since(n.at))
			}
		}
		slices.Sort(all.took)
		w.done <- all
	}()
	return w
}

// note has an append watched, unless another one is.
func (w *watcher) note(p engine.Position) {
	select {
	case w.appended <- noted{p, time.Now()}:
	default:
	}
}

func (w *watcher) end() times {
	close(w.appended)
	return <-w.done
}
