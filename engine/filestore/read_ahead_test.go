package filestore

import (
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
)

// locked runs f in a goroutine that keeps a thread to itself, as that of a program with windows does.
func locked(f func()) {
	done := make(chan struct{})
	go func() { // ends with f, and its thread with it
		defer close(done)
		runtime.LockOSThread()
		f()
	}()
	<-done
}

// TestAGoroutineThatIsLockedToItsThreadListsStreams: also one that takes over what another has begun, or
// only closes it.
func TestAGoroutineThatIsLockedToItsThreadListsStreams(t *testing.T) {
	const all = 1000
	index := smallStreams(t, all).index()
	here := func(f func()) { f() }
	for _, run := range [][2]func(func()){{locked, locked}, {locked, here}, {here, locked}} {
		for _, first := range []int{0, 1, 30, 500, all} {
			n := 0
			var list engine.StreamCursor
			run[0](func() {
				for list = index.Streams(bg, ""); n < first && list.Next(); n++ {
				}
			})
			run[1](func() {
				for list.Next() {
					n++
				}
			})
			require.NoError(t, list.Err())
			require.NoError(t, list.Close())
			assert.Equal(t, all, n)

			run[0](func() {
				list = index.Streams(bg, "")
				for range first {
					list.Next()
				}
			})
			run[1](func() { assert.NoError(t, list.Close()) })
		}
		var events int
		var scan engine.BatchCursor
		run[0](func() { scan = index.ScanStreams(bg, engine.Filter{}, engine.ColVersion) })
		run[1](func() {
			for b := scan.Next(); b != nil; b = scan.Next() {
				events += b.Len
			}
			assert.NoError(t, scan.Close())
		})
		assert.Equal(t, all, events)
	}
}

// TestTheFirstPiecesAreMadeWhenTheyAreAskedFor: who wants a few streams of many segments does not have
// more of them read.
func TestTheFirstPiecesAreMadeWhenTheyAreAskedFor(t *testing.T) {
	for asked := range alone + 1 {
		made := 0
		a := newAhead(func(yield func(int) bool) {
			for made++; yield(made); made++ {
			}
		})
		for i := range asked {
			piece, ok := a.next()
			require.True(t, ok)
			assert.Equal(t, i+1, piece)
		}
		a.stop()
		assert.Equal(t, asked, made)
	}
}

// TestPiecesThatAreMadeAheadAreAllOfThem: however many there are.
func TestPiecesThatAreMadeAheadAreAllOfThem(t *testing.T) {
	for n := range 3 * alone {
		want := make([]int, n)
		for i := range want {
			want[i] = i
		}
		a := newAhead(slices.Values(want))
		got := []int{}
		for piece, ok := a.next(); ok; piece, ok = a.next() {
			got = append(got, piece)
		}
		assert.Equal(t, want, got)
		_, ok := a.next()
		assert.False(t, ok, "the end stays")
	}
}
