package filestore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// noticesFS says of its files what notices there are.
type noticesFS struct {
	vfs.FS
	notices func(f vfs.File) (*vfs.Notices, error)
}

func (n *noticesFS) Open(name string, flag int) (vfs.File, error) {
	f, err := n.FS.Open(name, flag)
	return &noticesFile{f, n}, err
}

type noticesFile struct {
	vfs.File
	fs *noticesFS
}

func (f *noticesFile) Notices() (*vfs.Notices, error) { return f.fs.notices(f.File) }

// TestLookoutWithAndWithoutNotices has a store follow what another one writes, where notices come,
// where there are none, where the system has no more of them, and where they never come although
// they were promised.
func TestLookoutWithAndWithoutNotices(t *testing.T) {
	for _, c := range []struct {
		name    string
		notices func(vfs.File) (*vfs.Notices, error)
	}{
		{"the system's", vfs.NoticesOf},
		{"none", func(vfs.File) (*vfs.Notices, error) { return nil, errors.ErrUnsupported }},
		{"no more", func(vfs.File) (*vfs.Notices, error) {
			return nil, os.NewSyscallError("inotify_init1", os.ErrPermission)
		}},
		{"silent", func(vfs.File) (*vfs.Notices, error) {
			return vfs.NewNotices(make(chan struct{}), func() {}), nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			reader := openStore(t, dir, Options{FS: &noticesFS{vfs.OS(), c.notices}})
			s := openStore(t, dir, Options{})
			ctx, cancel := context.WithTimeout(bg, time.Minute)
			defer cancel()
			for p := range engine.Position(6) {
				woken := make(chan error, 1)
				go func() { woken <- reader.Wait(ctx, p) }() // ends with the event, or with ctx
				mustAppend(t, s, "s", engine.Any, one("1")...)
				require.NoError(t, <-woken, "event %d", p)
			}
			require.False(t, reader.writing.Load())
		})
	}
}

func TestOneLookoutServesAllWhoWait(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	mustAppend(t, s, "s", engine.Any, one("1")...)
	var opened, closed int
	reader, err := Open(dir, Options{ReadOnly: true, FS: &noticesFS{vfs.OS(), func(f vfs.File) (*vfs.Notices, error) {
		opened++ // by the lookout's goroutine alone
		return vfs.NewNotices(make(chan struct{}), func() { closed++ }), nil
	}}})
	require.NoError(t, err)
	var waiting sync.WaitGroup
	for i := range 50 {
		waiting.Go(func() { // ends with the store
			what := engine.Filter{Streams: []string{fmt.Sprint("s-", i)}}
			_, err := reader.Await(what).Wait(bg, 1)
			assert.ErrorIs(t, err, engine.ErrClosed)
		})
	}
	require.Eventually(t, func() bool { return reader.news.waiting.Load() == 50 }, time.Minute, time.Millisecond)
	require.NoError(t, reader.Close())
	waiting.Wait()
	require.Equal(t, 1, opened)
	require.Equal(t, 1, closed)
}

// TestALookoutEndsWhenNobodyWaits also begins it again.
func TestALookoutEndsWhenNobodyWaits(t *testing.T) {
	s := openSmall(t, vfs.NewMem())
	for range 2 {
		ctx, cancel := context.WithCancel(bg)
		waits := make(chan error, 1)
		go func() { waits <- s.Wait(ctx, 0) }() // ends with ctx
		running := func() bool {
			s.lookout.mu.Lock()
			defer s.lookout.mu.Unlock()
			return s.lookout.running
		}
		require.Eventually(t, running, time.Minute, time.Millisecond)
		cancel()
		require.ErrorIs(t, <-waits, context.Canceled)
		require.Eventually(t, func() bool { return !running() }, time.Minute, time.Millisecond)
	}
}

// TestANoticeIsOneLookHoweverManyFollow: the lookout looks once for each notice, and who waits for
// streams in which nothing has happened looks when it begins to wait, and no more.
func TestANoticeIsOneLookHoweverManyFollow(t *testing.T) {
	for _, followers := range []int{1, 20, 200} {
		fsys := vfs.NewMem()
		s := openStore(t, "store", Options{FS: fsys})
		mustAppend(t, s, "busy", engine.Any, one("1")...)
		reader := openStore(t, "store", Options{FS: fsys, ReadOnly: true})
		reader.lookout.mu.Lock()
		reader.lookout.running = true // this test is the lookout
		reader.lookout.mu.Unlock()
		reader.news.waiting.Add(1) // and waits, so that whoever comes late finds that looks tell names
		ctx, cancel := context.WithCancel(bg)
		var waiting sync.WaitGroup
		for i := range followers {
			waiting.Go(func() { // ends with ctx
				w := reader.Await(engine.Filter{Streams: []string{fmt.Sprint("s-", i)}})
				var err error
				for err == nil { // who comes late to his wait is told of an event that is there already
					_, err = w.Wait(ctx, engine.Position(reader.durable.Load()))
				}
				assert.ErrorIs(t, err, context.Canceled)
			})
		}
		allWait := func() bool { return int(reader.news.waiting.Load()) == 1+followers }
		require.Eventually(t, allWait, time.Minute, time.Millisecond)
		const notices = 30
		w, before := &watch{s: reader}, reader.looksBegun.Load() // some may be about to look
		for range notices {
			mustAppend(t, s, "busy", engine.Any, one("1")...)
			w.look(true)
		}
		looks := int(reader.looksBegun.Load() - before)
		assert.GreaterOrEqual(t, looks, notices)
		assert.LessOrEqual(t, looks, notices+followers)
		assert.EqualValues(t, notices+1, reader.durable.Load())
		assert.Eventually(t, allWait, time.Minute, time.Millisecond)
		cancel()
		waiting.Wait()
	}
}
