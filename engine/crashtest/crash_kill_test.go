package crashtest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/crashtest"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
)

// childVariable names the directory of the store, and with it what the test binary does instead of
// testing.
const childVariable = "EVENTFOLD_TEST_CHILD"

func TestMain(m *testing.M) {
	if role, dir, ok := strings.Cut(testenv.Get(childVariable), ":"); ok {
		if err := children[role](dir); err != nil {
			fmt.Println("error", strings.ReplaceAll(err.Error(), "\n", " "))
			os.Exit(1)
		}
		os.Exit(0)
	}
	// Thousands of stores in memory come and go. The collector otherwise lets the heap double, and
	// the race detector takes five times that.
	debug.SetMemoryLimit(512 << 20)
	os.Exit(m.Run())
}

// children are what a child process can do. It tells on standard output what it has done, a line
// each.
var children = map[string]func(dir string) error{"append": appendChild, "read": readChild, "backup": backupChild,
	"erase": eraseChild, "erasures": erasuresChild}

// Clients of a child, and appends of a client, are numbered; what they append follows from the
// numbers, so that the parent knows it.
const childClients = 6

func childAppend(life, client, n int) []engine.Append {
	g := crashtest.NewGenerator(uint64(life)<<40 | uint64(client)<<32 | uint64(n))
	if n%5 == 0 {
		return []engine.Append{g.Append(g.IntN(300), g.IntN(3000)), g.Append(10)}
	}
	return []engine.Append{g.Append(g.IntN(2000))}
}

// childSegmentSize makes rotations frequent.
const childSegmentSize = 128 << 10

// appendChild appends from several goroutines until it is killed: "try client n" before, "ack
// client n position version ... micros" after.
func appendChild(dir string) error {
	s, err := filestore.Open(dir, filestore.Options{SegmentSize: childSegmentSize})
	if err != nil {
		return err
	}
	fmt.Println("open")
	var life int
	if _, err := fmt.Sscan(testenv.Get("EVENTFOLD_TEST_LIFE"), &life); err != nil {
		return err
	}
	out := os.Stdout // a line is one write, which is not mixed with others
	failed := make(chan error)
	for client := range childClients {
		go func() { // until the process is killed
			for n := 0; ; n++ {
				fmt.Fprintf(out, "try %d %d\n", client, n)
				done, err := s.Append(context.Background(), childAppend(life, client, n)...)
				if err != nil {
					failed <- err
					return
				}
				line := fmt.Sprintf("ack %d %d %d", client, n, done.RecordedAt.UnixMicro())
				for _, p := range done.Events {
					line += fmt.Sprintf(" %d %d", p.Position, p.Version)
				}
				fmt.Fprintln(out, line)
			}
		}()
	}
	return <-failed
}

// readChild follows the log as another process does, and tells how far it has seen it: "seen head".
// It stops at what is wrong.
func readChild(dir string) error {
	s, err := filestore.Open(dir, filestore.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	ctx := context.Background()
	next := engine.Position(0)
	versions := map[string]engine.Version{}
	for {
		if err := s.Wait(ctx, next); err != nil {
			return err
		}
		c := s.ReadIndex().ReadAll(ctx, next, engine.Forwards)
		for c.Next() {
			e := c.Event()
			if e.Position != next || e.Version != versions[e.Stream] {
				return fmt.Errorf("position %d after %d, version %d of %s after %d", e.Position, next, e.Version,
					e.Stream, versions[e.Stream])
			}
			versions[e.Stream]++
			next++
		}
		if err := errors.Join(c.Err(), c.Close()); err != nil {
			return err
		}
		fmt.Println("seen", next)
	}
}

// A writing process is killed again and again, while others read (T4). What it has told of as
// acknowledged is there, and what others have read.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: starts and kills a hundred processes")
	}
	seed := testenv.Seed(t)
	r := rand.New(rand.NewPCG(seed, 0))
	rounds := max(100, testenv.Scale(100, 1000))
	o := crashtest.NewOracle(false)
	dir := t.TempDir()
	tried, acked := 0, 0
	count := func() {
		t, a := o.Counts()
		tried, acked = tried+t, acked+a
	}
	reader := startChild(t, "read", dir, -1)
	readers := 0
	for round := range rounds {
		if round%50 == 49 { // a store that does not grow for ever
			count()
			o, dir = crashtest.NewOracle(false), t.TempDir()
			require.NoError(t, reader.kill())
			reader = startChild(t, "read", dir, -1)
		}
		child := startChild(t, "append", dir, round)
		require.NoError(t, child.waitOpen())
		time.Sleep(time.Duration(r.IntN(15_000)) * time.Microsecond)
		require.NoError(t, child.kill())
		if round%10 == 9 {
			require.NoError(t, reader.kill(), "the reader")
			readers++
		}
		require.NoError(t, tellOracle(o, child, reader, round), "round %d", round)
		if round%10 == 9 {
			reader = startChild(t, "read", dir, -1)
		}
		s, err := filestore.Open(dir, filestore.Options{SegmentSize: childSegmentSize})
		require.NoError(t, err, "round %d", round)
		require.NoError(t, o.Check(t.Context(), s), "round %d", round)
		require.NoError(t, s.Close())
	}
	require.NoError(t, reader.kill())
	count()
	report(t, "T4", fmt.Sprintf("%d kills of a process with %d clients, %d kills of a reader beside it; %d "+
		"appends tried, %d found acknowledged or written; violations: 0",
		rounds, childClients, readers, tried, acked))
	require.Positive(t, acked)
}

// A childProcess is a running child, whose lines are kept.
type childProcess struct {
	command *exec.Cmd
	opened  chan struct{} // closed when the line "open" has come
	ended   chan struct{} // closed when the output has ended

	mu    sync.Mutex // protects lines
	lines []string
}

func startChild(t *testing.T, role, dir string, life int) *childProcess {
	c := &childProcess{command: exec.Command(os.Args[0]), opened: make(chan struct{}), ended: make(chan struct{})}
	c.command.Env = append(os.Environ(), childVariable+"="+role+":"+dir, fmt.Sprintf("EVENTFOLD_TEST_LIFE=%d", life))
	c.command.Stderr = os.Stderr
	out, err := c.command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.command.Start())
	t.Cleanup(func() { c.kill() })
	go c.listen(out) // ends with the process; kill waits for it
	return c
}

func (c *childProcess) listen(out io.Reader) {
	defer close(c.ended)
	for in := bufio.NewReader(out); ; {
		line, err := in.ReadString('\n')
		if err != nil {
			return // what is not a whole line was not told
		}
		if line == "open\n" {
			close(c.opened)
			continue
		}
		c.mu.Lock()
		c.lines = append(c.lines, strings.TrimSpace(line))
		c.mu.Unlock()
	}
}

// waitOpen waits until the child has opened the store.
func (c *childProcess) waitOpen() error {
	select {
	case <-c.opened:
		return nil
	case <-c.ended:
		return fmt.Errorf("the child ended: %v", c.take())
	}
}

// waitLine waits until the child has said more than that it has opened the store.
func (c *childProcess) waitLine(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.lines) > 0
	}, time.Minute, time.Millisecond)
}

// kill kills the process, which must still run, and waits for its last word.
func (c *childProcess) kill() error {
	err := c.command.Process.Kill()
	<-c.ended
	c.command.Wait()
	return err
}

// take returns the lines that have come since the last call.
func (c *childProcess) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	lines := c.lines
	c.lines = nil
	return lines
}

// tellOracle tells what the children have told.
func tellOracle(o *crashtest.Oracle, writer, reader *childProcess, life int) error {
	numbers := map[[2]int]int{}
	for _, line := range writer.take() {
		words := strings.Fields(line)
		var client, n int
		if len(words) < 3 {
			return fmt.Errorf("the child said %q", line)
		}
		fmt.Sscan(words[1], &client)
		fmt.Sscan(words[2], &n)
		switch batch := childAppend(life, client, n); words[0] {
		case "try":
			numbers[[2]int{client, n}] = o.Try(batch)
		case "ack":
			o.Acked(numbers[[2]int{client, n}], parseAcked(batch, words[3:]))
		default:
			return fmt.Errorf("the child said %q", line)
		}
	}
	for _, line := range reader.take() {
		var head engine.Position
		if _, err := fmt.Sscanf(line, "seen %d", &head); err != nil {
			return fmt.Errorf("the reader said %q", line)
		}
		o.See(head)
	}
	return nil
}

// parseAcked reads what is behind "ack client n".
func parseAcked(batch []engine.Append, words []string) engine.Appended {
	var micros int64
	fmt.Sscan(words[0], &micros)
	done := engine.Appended{RecordedAt: time.UnixMicro(micros).UTC()}
	var ids []uuid.UUID
	for _, a := range batch {
		for _, e := range a.Events {
			ids = append(ids, e.ID)
		}
	}
	for i, id := range ids {
		p := engine.Placed{ID: id}
		fmt.Sscan(words[1+2*i], &p.Position)
		fmt.Sscan(words[2+2*i], &p.Version)
		done.Events = append(done.Events, p)
	}
	return done
}
