//go:build darwin || freebsd || linux

package crashtest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
)

const (
	limitSegmentSize = 32 << 10
	limitStreams     = 60
)

func init() { children["limit"] = limitChild }

func limitStream(i int) string { return fmt.Sprint("stream-", i%limitStreams) }

func limitAppend(s engine.Store, i int) error {
	expect := engine.Exact(engine.Version(i/limitStreams - 1))
	_, err := s.Append(context.Background(), engine.Append{Stream: limitStream(i), Expect: []engine.Expectation{expect},
		Events: []engine.NewEvent{{Type: "T",
			Payload: []byte(fmt.Sprintf(`{"n":%d,"x":"%s"}`, i, strings.Repeat("x", 9000)))}}})
	return err
}

// TestFewFilesAllowed has a process that may have 256 files open use a store of more than 500
// segments.
func TestFewFilesAllowed(t *testing.T) {
	testenv.WithoutRace(t)
	dir, err := os.MkdirTemp(testenv.MemoryDir(), "eventfold-few-files")
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	s, err := filestore.Open(dir, filestore.Options{SegmentSize: limitSegmentSize, Sync: filestore.SyncInterval})
	require.NoError(t, err)
	n := 0
	for ; s.Stats().Segments < 510; n++ {
		require.NoError(t, limitAppend(s, n))
	}
	require.NoError(t, s.Close())
	child := exec.Command("sh", "-c", `ulimit -n 256 && exec "$0" -test.run=NothingAtAll`, os.Args[0])
	child.Env = append(os.Environ(), childVariable+"=limit:"+dir)
	out, err := child.CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s", out)
	require.Contains(t, string(out), fmt.Sprintf("%d events before", n))
}

// limitChild uses the store as long as nothing fails.
func limitChild(dir string) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur != 256 {
		return fmt.Errorf("the limit is %d: %v", limit.Cur, err)
	}
	s, err := filestore.Open(dir, filestore.Options{SegmentSize: limitSegmentSize, Sync: filestore.SyncInterval})
	if err != nil {
		return err
	}
	n := int(s.ReadIndex().Head())
	fmt.Printf("%d events before in %d segments\n", n, s.Stats().Segments)
	if err := limitRead(s, n); err != nil {
		return err
	}
	from := n
	for rotated := s.Stats().Segments + 20; s.Stats().Segments < rotated; n++ {
		if err := limitAppend(s, n); err != nil {
			return err
		}
	}
	if err := limitRead(s, n); err != nil {
		return err
	}
	report, err := s.Verify(context.Background())
	if err != nil || report.Events != int64(n) || len(report.BadIndexes) > 0 {
		return fmt.Errorf("verified %+v: %w", report, err)
	}
	if _, err := s.Backup(context.Background(), dir+".backup"); err != nil {
		return err
	}
	defer os.RemoveAll(dir + ".backup")
	fmt.Printf("%d appended, %d segments and %d indexes verified\n", n-from, report.Segments, report.Indexes)
	if n, err = limitStarve(s, n); err != nil {
		return err
	}
	if err := limitRead(s, n); err != nil {
		return err
	}
	return s.Close()
}

// limitRead reads all events at once, and by stream.
func limitRead(s engine.Store, n int) error {
	read := func(c engine.Cursor) (found int, err error) {
		for c.Next() {
			found++
		}
		return found, errors.Join(c.Err(), c.Close())
	}
	if found, err := read(s.ReadIndex().ReadAll(context.Background(), 0, engine.Forwards)); err != nil || found != n {
		return fmt.Errorf("read %d of %d events: %w", found, n, err)
	}
	for i := range limitStreams {
		want := (n - i + limitStreams - 1) / limitStreams
		if found, err := read(s.ReadIndex().ReadStream(context.Background(), limitStream(i), 0,
			engine.Forwards)); err != nil || found != want {
			return fmt.Errorf("read %d of %d events of a stream: %w", found, want, err)
		}
	}
	return nil
}

// limitStarve lets the program take every file that it can have, while the store reads, appends and
// rotates. What fails must say why, and work again once there are files. It returns how many events
// there are.
func limitStarve(s *filestore.FileStore, n int) (int, error) {
	var taken []*os.File
	release := func() {
		for _, f := range taken {
			f.Close()
		}
		taken = nil
	}
	defer release()
	refused, done := 0, 0
	for rotated := s.Stats().Segments + 10; s.Stats().Segments < rotated && refused < 300; {
		for {
			f, err := os.Open(os.DevNull)
			if err != nil {
				break
			}
			taken = append(taken, f)
		}
		if err := limitRead(s, n); err != nil && !errors.Is(err, syscall.EMFILE) {
			return n, fmt.Errorf("reading without files: %w", err)
		}
		switch err := limitAppend(s, n); {
		case err == nil:
			n++
			done++
		case errors.Is(err, syscall.EMFILE):
			refused++
		default:
			return n, fmt.Errorf("append without files: %w", err)
		}
	}
	release()
	fmt.Printf("without a single file left: %d appended, %d refused\n", done, refused)
	deadline := time.Now().Add(time.Minute)
	for err := limitAppend(s, n); ; err = limitAppend(s, n) {
		if err == nil {
			return n + 1, nil
		}
		if !errors.Is(err, syscall.EMFILE) || time.Now().After(deadline) {
			return n, fmt.Errorf("append with files again: %w", err)
		}
		time.Sleep(time.Millisecond)
	}
}
