package crashtest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
)

func init() { children["insist"] = insistChild }

// insistChild appends until it is killed, opening the store again whenever it is refused: "ack id"
// after each append, "moved" and "locked" when it was.
func insistChild(dir string) error {
	for {
		s, err := filestore.Open(dir, filestore.Options{SegmentSize: childSegmentSize, BusyTimeout: -1})
		for err == nil {
			id := uuid.New()
			_, err = s.Append(context.Background(), engine.Append{
				Stream: "s",
				Events: []engine.NewEvent{{ID: id, Type: "T", Payload: make([]byte, 500)}},
			})
			if err == nil {
				fmt.Println("ack", id)
			}
		}
		switch {
		case errors.As(err, new(*engine.MovedError)):
			fmt.Println("moved", time.Now().UnixMicro())
		case errors.As(err, new(*engine.LockedError)):
			fmt.Println("locked")
		default:
			fmt.Println("other", strings.ReplaceAll(err.Error(), "\n", " "))
		}
		if s != nil {
			s.Close()
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Two processes append to one path, while names are removed and directories renamed under them.
// Whatever either was told is stored is in one of the directories, once, and each of these is
// whole: there were never two writers.
func TestTwoProcessesWhileNamesAreRemoved(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: runs two processes against each other for seconds")
	}
	root := t.TempDir()
	dir := filepath.Join(root, "store")
	require.NoError(t, os.Mkdir(dir, 0o755))
	children := []*childProcess{startChild(t, "insist", dir, 0), startChild(t, "insist", dir, 0)}
	r := rand.New(rand.NewPCG(3, 4))
	directories := []string{dir}
	for round := range 12 {
		time.Sleep(time.Duration(100+r.IntN(700)) * time.Millisecond)
		switch round % 4 {
		case 0, 2: // once while somebody writes, and once more while the other one has just begun
			_ = os.Remove(filepath.Join(dir, "LOCK"))
		case 1:
			aside := fmt.Sprintf("%s.%d", dir, round)
			if os.Rename(dir, aside) == nil {
				directories = append(directories, aside)
			}
			_ = os.Mkdir(dir, 0o755)
		case 3:
			_ = os.Remove(filepath.Join(dir, "LOCK"))
			_ = os.Remove(filepath.Join(dir, "TAIL"))
		}
	}
	time.Sleep(time.Second)
	acked, said := map[string]bool{}, map[string]int{}
	for _, c := range children {
		require.NoError(t, c.kill())
		for _, line := range c.take() {
			word, rest, _ := strings.Cut(line, " ")
			if said[word]++; word == "ack" {
				acked[rest] = true
			} else if word == "other" {
				t.Log(line)
			}
		}
	}
	found := map[string]int{}
	for _, d := range directories {
		s, err := filestore.Open(d, filestore.Options{})
		require.NoError(t, err, d)
		c := s.ReadIndex().ReadAll(t.Context(), 0, engine.Forwards)
		for c.Next() {
			found[c.Event().ID.String()]++
		}
		require.NoError(t, errors.Join(c.Err(), c.Close()))
		_, err = s.Verify(t.Context())
		require.NoError(t, err, d)
		require.NoError(t, s.Close())
	}
	for id := range acked {
		require.Equal(t, 1, found[id], "event %s was acknowledged", id)
	}
	t.Logf("%v in %d directories", said, len(directories))
	assert.Positive(t, said["ack"])
	assert.Positive(t, said["moved"])
	assert.Positive(t, said["locked"])
}
