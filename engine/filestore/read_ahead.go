package filestore

import (
	"iter"
	"runtime"
)

// An ahead is a sequence of pieces of which each is made, in a goroutine of its own, while who takes them
// works on the one before. The first ones are made when they are asked for: most sequences are short.
type ahead[T any] struct {
	pull    func() (T, bool)
	end     func()
	taken   int
	pieces  chan T        // nil while there is no goroutine
	stopped chan struct{} // closed by stop
	ended   chan struct{} // closed when the goroutine ends
}

// alone is how many pieces are made before there is a goroutine.
const alone = 3

// newAhead starts a sequence. A piece must stay as it is until the next but one is being made.
func newAhead[T any](pieces iter.Seq[T]) *ahead[T] {
	a := new(ahead[T])
	a.pull, a.end = iter.Pull(pieces)
	return a
}

// next returns the next piece, false if there is none.
func (a *ahead[T]) next() (T, bool) {
	if a.pieces == nil {
		if a.taken++; a.taken <= alone || runtime.GOMAXPROCS(0) == 1 {
			return a.pull()
		}
		a.start()
	}
	piece, ok := <-a.pieces
	if !ok {
		<-a.ended
	}
	return piece, ok
}

func (a *ahead[T]) start() {
	a.pieces, a.stopped, a.ended = make(chan T), make(chan struct{}), make(chan struct{})
	go func() { // ends with the sequence, or by stop, which waits for it
		defer close(a.ended)
		defer close(a.pieces)
		for {
			piece, ok := a.pull()
			if !ok {
				return
			}
			select {
			case a.pieces <- piece:
			case <-a.stopped:
				return
			}
		}
	}()
}

// stop ends the sequence. It is called once, unless next has returned false.
func (a *ahead[T]) stop() {
	if a.pieces != nil {
		close(a.stopped)
		<-a.ended
	}
	a.end()
}
