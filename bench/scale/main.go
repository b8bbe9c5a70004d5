// Scale measures a store of many events in many streams: how long it takes to open after a clean
// close and after kill -9, how much memory the process holds, and how long a random stream takes to
// read. Every measurement runs in a process of its own.
//
//	go run -C bench ./scale [-events 1000000,10000000] [-apart 100] [-dir /tmp]
//
// All streams grow at the same time, so that each has its events in ten places far from each other;
// with -apart only so many grow together.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
)

const (
	perStream   = 10
	payloadSize = 256
	perAppend   = 1000
)

func main() {
	sizes := flag.String("events", "1000000,10000000", "how many events, one run each")
	dir := flag.String("dir", os.TempDir(), "the `directory` for the stores")
	apart := flag.Int("apart", 0, "how many `streams` grow at the same time; 0 means all of them")
	step := flag.String("step", "", "do this step, for the parent process")
	n := flag.Int("n", 0, "events, for the parent process")
	store := flag.String("store", "", "the store, for the parent process")
	flag.Parse()
	if *step != "" {
		out, err := steps[*step](*store, *n, *apart)
		if err != nil {
			log.Fatal(err)
		}
		if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
			log.Fatal(err)
		}
		return
	}
	fmt.Println("| events | streams | load events/s | bytes/event | open, closed (ms) | open, killed (ms) | first " +
		"read (ms) | memory (MB) | stream of 10, median (µs) | 99 % (µs) | new stream append (µs) |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|---|")
	for _, size := range strings.Split(*sizes, ",") {
		events, err := strconv.Atoi(size)
		if err != nil {
			log.Fatal(err)
		}
		if err := measure(*dir, events, *apart); err != nil {
			log.Fatal(err)
		}
	}
}

// figures are what a step has measured.
type figures map[string]float64

var steps = map[string]func(store string, n, apart int) (figures, error){"load": load, "open": open, "crash": crash}

func measure(dir string, n, apart int) error {
	base, err := os.MkdirTemp(dir, "eventfold-scale")
	if err != nil {
		return err
	}
	defer os.RemoveAll(base)
	store := filepath.Join(base, "store")
	all := figures{}
	for _, step := range []struct{ name, suffix string }{
		{"load", ""}, {"open", " closed"}, {"crash", ""}, {"open", " killed"},
	} {
		out, err := exec.Command(os.Args[0], "-step", step.name, "-n", strconv.Itoa(n), "-apart", strconv.Itoa(apart),
			"-store", store).Output()
		var got figures
		if step.name == "crash" { // it kills itself
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w: %s", step.name, err, stderr(err))
		}
		if err := json.Unmarshal(out, &got); err != nil {
			return err
		}
		for k, v := range got {
			all[k+step.suffix] = v
		}
	}
	fmt.Printf("| %d | %d | %.0f | %.0f | %.1f | %.1f | %.2f | %.0f | %.0f | %.0f | %.0f |\n", n, n/perStream,
		all["rate"], all["disk"], all["open closed"], all["open killed"],
		all["first killed"], all["memory killed"], all["median closed"], all["p99 closed"], all["new closed"])
	return nil
}

func stderr(err error) []byte {
	if exit, ok := err.(*exec.ExitError); ok {
		return exit.Stderr
	}
	return nil
}

// streamOf returns the number of the stream that event e of the load belongs to.
func streamOf(e, streams, apart int) int {
	if apart == 0 {
		return e % streams
	}
	return e/(apart*perStream)*apart + e%apart
}

func streamName(i int) string { return fmt.Sprintf("account-%012x", uint64(i)*0x9E3779B97F4A7C15>>16) }

func load(store string, n, apart int) (figures, error) {
	s, err := filestore.Open(store, filestore.Options{})
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(1, 1))
	start := time.Now()
	streams := n / perStream
	for at := 0; at < n; {
		batch := make([]engine.Append, min(perAppend, n-at))
		for i := range batch {
			payload := fmt.Appendf(make([]byte, 0, payloadSize), `{"amount":%d,"note":"`, r.IntN(1000))
			for len(payload) < payloadSize-2 {
				payload = append(payload, 'a'+byte(r.IntN(26)))
			}
			batch[i] = engine.Append{
				Stream: streamName(streamOf(at+i, streams, apart)),
				Events: []engine.NewEvent{{Type: fmt.Sprint("Type", r.IntN(12)), Payload: append(payload, '"', '}')}},
			}
		}
		if _, err := s.Append(context.Background(), batch...); err != nil {
			return nil, err
		}
		at += len(batch)
	}
	rate := float64(n) / time.Since(start).Seconds()
	for s.Stats().IndexedTo < s.Stats().Segments-1 { // the indexes are made in the background
		time.Sleep(10 * time.Millisecond)
	}
	bytes := s.Stats().DiskBytes
	return figures{"rate": rate, "disk": float64(bytes) / float64(n)}, s.Close()
}

func open(store string, n, _ int) (figures, error) {
	start := time.Now()
	s, err := filestore.Open(store, filestore.Options{})
	if err != nil {
		return nil, err
	}
	opened := time.Since(start)
	streams := n / perStream
	r := rand.New(rand.NewPCG(2, 2))
	read := func() (time.Duration, error) { return readOne(s, streamName(r.IntN(streams))) }
	first, err := read()
	if err != nil {
		return nil, err
	}
	var times []time.Duration
	for range 3000 {
		t, err := read()
		if err != nil {
			return nil, err
		}
		times = append(times, t)
	}
	slices.Sort(times)
	micros := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
	out := figures{
		"open":   micros(opened) / 1000,
		"first":  micros(first) / 1000,
		"median": micros(times[len(times)/2]),
		"p99":    micros(times[len(times)*99/100]),
	}
	debug.FreeOSMemory()
	out["memory"] = resident()
	began := time.Now()
	const appends = 200
	for i := range appends {
		_, err := s.Append(context.Background(), engine.Append{
			Stream: fmt.Sprintf("new-%d-%d", os.Getpid(), i),
			Expect: []engine.Expectation{engine.NoStream},
			Events: []engine.NewEvent{{Type: "T"}},
		})
		if err != nil {
			return nil, err
		}
	}
	out["new"] = micros(time.Since(began)) / appends
	return out, s.Close()
}

// readOne reads a stream and returns how long it took.
func readOne(s engine.Store, stream string) (time.Duration, error) {
	start, found := time.Now(), 0
	c := s.ReadIndex().ReadStream(context.Background(), stream, 0, engine.Forwards)
	for c.Next() {
		found++
	}
	if err := c.Err(); err != nil {
		return 0, err
	}
	if found < perStream {
		return 0, fmt.Errorf("a stream has %d events", found)
	}
	return time.Since(start), c.Close()
}

// crash appends and kills its own process.
func crash(store string, _, _ int) (figures, error) {
	s, err := filestore.Open(store, filestore.Options{})
	if err != nil {
		return nil, err
	}
	for i := range 1000 {
		if _, err := s.Append(context.Background(),
			engine.Append{Stream: fmt.Sprint("crash-", i), Events: []engine.NewEvent{{Type: "T"}}}); err != nil {
			return nil, err
		}
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return nil, err
	}
	return nil, self.Kill()
}

// resident returns the process's resident memory in MB, 0 where the system does not tell.
func resident() float64 {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(statm))
	pages, err := strconv.ParseFloat(fields[1], 64)
	if err != nil {
		return 0
	}
	return pages * float64(os.Getpagesize()) / (1 << 20)
}
