package filestore

import (
	"runtime"

	"github.com/eventfold/eventfold/engine/filestore/internal/format"
)

// Opening after a crash reads the last segment, of up to 128 MiB. So while this goroutine indexes what
// it has read, another one reads ahead and checks, and a third one puts ids into the index.
// BenchmarkOpenKilled holds it, and TestReadingAheadFindsWhatThePlainScanFinds compares it with the
// plain scan.

// A frameSource gives the frames of a segment one after the other, as a logScanner does.
type frameSource interface {
	// next returns the next frame, whose bytes live until the next call, and nil if none begins
	// behind the one before.
	next() (*logFrame, error)
	// failure tells, when next has returned nothing, why no frame begins there.
	failure() error
}

func (s *logScanner) failure() error { return s.why }

// A readAhead is a logScanner that a goroutine of its own drives.
type readAhead struct {
	pieces chan scanPiece
	free   chan []byte   // blocks that nobody uses any more
	quit   chan struct{} // closed by stop
	piece  scanPiece     // what is left of it
	block  []byte        // of piece
}

// A scanPiece is what a readAhead has found in one block.
type scanPiece struct {
	frames []*logFrame
	block  []byte // that has the frames' bytes
	last   bool   // there are no more
	why    error  // see frameSource.failure
	err    error
}

const (
	minReadAhead = 4 << 20 // bytes of log: less is not worth the goroutines
	aheadPieces  = 4       // that are read before they are asked for
)

// frames returns what reads the log from a scanner on up to promised, and what ends that.
func (l *logState) frames(s *logScanner, promised int64) (_ frameSource, stop func()) {
	if promised-s.end.offset < minReadAhead || runtime.GOMAXPROCS(0) < 2 {
		return s, func() {}
	}
	return l.framesAhead(s)
}

// framesAhead is frames in three goroutines.
func (l *logState) framesAhead(s *logScanner) (_ frameSource, stop func()) {
	a := &readAhead{
		pieces: make(chan scanPiece, aheadPieces),
		free:   make(chan []byte, aheadPieces+2),
		quit:   make(chan struct{}),
	}
	s.blocks = a.newBlock
	go a.run(s) // ends with the log, or with stop, which waits for it
	settle := l.index.AddIDsBeside()
	return a, func() {
		close(a.quit)
		for range a.pieces { // closed when run has ended
		}
		settle()
	}
}

// newBlock returns a block of n bytes that nobody uses.
func (a *readAhead) newBlock(n int) []byte {
	select {
	case b := <-a.free:
		if cap(b) >= n {
			return b[:n]
		}
	default:
	}
	return make([]byte, n)
}

// run reads all frames.
func (a *readAhead) run(s *logScanner) {
	defer close(a.pieces)
	var p scanPiece
	for !p.last {
		block := s.block
		f, err := s.next()
		if len(p.frames) > 0 && !sameBlock(block, s.block) { // f is in another one
			p.block = block
			if !a.send(p) {
				return
			}
			p = scanPiece{}
		}
		if f != nil {
			p.frames = append(p.frames, f)
		}
		p.last, p.why, p.err = f == nil || err != nil || f.Kind == format.FrameSeal, s.why, err
	}
	p.block = s.block
	a.send(p)
}

func sameBlock(a, b []byte) bool { return len(a) > 0 && len(b) > 0 && &a[0] == &b[0] }

func (a *readAhead) send(p scanPiece) bool {
	select {
	case a.pieces <- p:
		return true
	case <-a.quit:
		return false
	}
}

func (a *readAhead) next() (*logFrame, error) {
	for len(a.piece.frames) == 0 {
		if a.piece.last {
			return nil, a.piece.err
		}
		if a.block != nil {
			select {
			case a.free <- a.block:
			default:
			}
		}
		a.piece = <-a.pieces
		a.block = a.piece.block
	}
	f := a.piece.frames[0]
	a.piece.frames = a.piece.frames[1:]
	return f, nil
}

func (a *readAhead) failure() error {
	if a.piece.last && len(a.piece.frames) == 0 {
		return a.piece.why
	}
	return nil
}
