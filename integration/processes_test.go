package integration

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
)

// TestMain lets the test binary be a reader process too.
func TestMain(m *testing.M) {
	if store := testenv.Get("EVENTFOLD_TEST_READER"); store != "" {
		if err := follow(store); err != nil {
			fmt.Println("bad", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// checkedPayload says in its text what it must be, so that a torn read shows.
func checkedPayload(position int64) []byte {
	text := strings.Repeat(fmt.Sprintf("%d-", position), 1+int(position%50))
	return fmt.Appendf(nil, `{"sum": %d, "text": "%s"}`, crc32.ChecksumIEEE([]byte(text)), text)
}

// follow is a reader process: it reads everything from the first event on, checks each, and says
// now and then how far it is.
func follow(store string) error {
	db, err := sql.Open("eventfold", store+"?mode=ro")
	if err != nil {
		return err
	}
	defer db.Close()
	rows, err := db.Query("SELECT event FROM $all FOLLOW")
	if err != nil {
		return err
	}
	defer rows.Close()
	var e eventfold.Event
	for next := int64(0); rows.Next(); next++ {
		if err := rows.Scan(&e); err != nil {
			return err
		}
		if int64(e.Position) != next {
			return fmt.Errorf("position %d came, expected %d", e.Position, next)
		}
		if string(e.Payload) != string(checkedPayload(next)) {
			return fmt.Errorf("position %d holds %s", next, e.Payload)
		}
		if next%100 == 0 {
			fmt.Println("at", next)
		}
	}
	return rows.Err()
}

// A reader is a reader process as its parent sees it.
type reader struct {
	cmd  *exec.Cmd
	at   atomic.Int64 // the last position it has reported
	done chan error   // what it ended with
}

func startReader(store string) (*reader, error) {
	r := &reader{cmd: exec.Command(os.Args[0]), done: make(chan error, 1)}
	r.cmd.Env = append(os.Environ(), "EVENTFOLD_TEST_READER="+store)
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { // ends with the process; done is received from when it has been killed
		var bad error
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var at int64
			if _, err := fmt.Sscanf(lines.Text(), "at %d", &at); err == nil {
				r.at.Store(at)
			} else {
				bad = fmt.Errorf("a reader said %q", lines.Text())
			}
		}
		_ = r.cmd.Wait() // it is killed
		r.done <- bad
	}()
	return r, nil
}

func (r *reader) kill() error {
	if err := r.cmd.Process.Kill(); err != nil {
		return err
	}
	return <-r.done
}

// TestReadersInOtherProcesses lets four processes follow what this one writes, kills readers and
// starts them again. EVENTFOLD_SECONDS sets how long.
func TestReadersInOtherProcesses(t *testing.T) {
	const readers = 4
	store := filepath.Join(t.TempDir(), "store")
	s, err := filestore.Open(store, filestore.Options{SegmentSize: 256 << 10})
	require.NoError(t, err)
	// The reader is there before the writer has taken the lock.
	_, err = s.Append(t.Context(), engine.Append{
		Stream: "s-0",
		Events: []engine.NewEvent{{Type: "T", Payload: checkedPayload(0)}},
	})
	require.NoError(t, err)
	require.NoError(t, s.Close())

	running := make([]*reader, readers)
	for i := range running {
		running[i], err = startReader(store)
		require.NoError(t, err)
	}
	s, err = filestore.Open(store, filestore.Options{SegmentSize: 256 << 10})
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()

	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(budget(t, "EVENTFOLD_SECONDS", 4, 0))*time.Second)
	defer cancel()
	var written atomic.Int64
	var writer sync.WaitGroup
	writer.Go(func() { // ends with ctx
		for p := int64(1); ctx.Err() == nil; p++ {
			_, err := s.Append(context.WithoutCancel(ctx), engine.Append{
				Stream: fmt.Sprint("s-", p%7),
				Events: []engine.NewEvent{{Type: "T", Payload: checkedPayload(p)}},
			})
			if err != nil {
				t.Error(err)
				return
			}
			written.Store(p)
		}
	})
	r := rand.New(rand.NewPCG(testenv.Seed(t), 3))
	kills := 0
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(100+r.IntN(300)) * time.Millisecond):
			i := r.IntN(readers)
			require.NoError(t, running[i].kill())
			kills++
			running[i], err = startReader(store)
			require.NoError(t, err)
		}
	}
	writer.Wait()
	last := written.Load() / 100 * 100
	require.Positive(t, kills)
	require.Positive(t, last, "so many events that a reader has something to tell")
	for _, one := range running { // everybody gets to the end
		require.Eventually(t, func() bool { return one.at.Load() >= last }, time.Minute, 10*time.Millisecond)
		require.NoError(t, one.kill())
	}
	t.Logf("%d events, %d readers killed and started again, 0 gaps, 0 repeats, 0 torn reads", written.Load()+1, kills)
}
