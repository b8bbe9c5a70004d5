package filestore

import "iter"

// An ahead is a sequence of pieces of which each is made, in a goroutine of its own, while who takes them
// works on the one before. The first ones are made when they are asked for: most sequences are short.
//
// It is no coroutine (iter.Pull): whoever uses one must be locked to its thread (runtime.LockOSThread)
// as the goroutine was in which it began, or the process dies. A program's main goroutine may be locked,
// and cursors are closed in other goroutines when a context ends.
type ahead[T any] struct {
	asked   int
	wanted  chan struct{} // asks for each of the first pieces; closed when all others are to be made
	pieces  chan T
	stopped chan struct{} // closed by stop
	ended   chan struct{} // closed when the goroutine ends
}

// alone is how many pieces are made only when they are asked for.
const alone = 3

// newAhead starts a sequence. A piece must stay as it is until the next but one is being made.
func newAhead[T any](pieces iter.Seq[T]) *ahead[T] {
	a := &ahead[T]{
		wanted: make(chan struct{}, alone), pieces: make(chan T),
		stopped: make(chan struct{}), ended: make(chan struct{}),
	}
	go a.work(pieces) // ends with the sequence, or by stop, which waits for it
	return a
}

// work makes the pieces.
func (a *ahead[T]) work(pieces iter.Seq[T]) {
	defer close(a.ended)
	defer close(a.pieces)
	if !a.wait() {
		return
	}
	for piece := range pieces {
		select {
		case a.pieces <- piece:
		case <-a.stopped:
			return
		}
		if !a.wait() {
			return
		}
	}
}

// wait waits until another piece is to be made; false if none is.
func (a *ahead[T]) wait() bool {
	select {
	case <-a.wanted:
		return true
	case <-a.stopped:
		return false
	}
}

// next returns the next piece, false if there is none.
func (a *ahead[T]) next() (T, bool) {
	switch a.asked++; {
	case a.asked <= alone:
		a.wanted <- struct{}{} // there is room for all of them
	case a.asked == alone+1:
		close(a.wanted)
	}
	piece, ok := <-a.pieces
	if !ok {
		<-a.ended
	}
	return piece, ok
}

// stop ends the sequence. It is called once, unless next has returned false.
func (a *ahead[T]) stop() {
	close(a.stopped)
	<-a.ended
}
