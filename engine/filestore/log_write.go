package filestore

import (
	"crypto/rand"
	"encoding/binary"
	"io"
	"os"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/sabotage"
)

// A logWriter writes the end of the log. It belongs to the writer, who holds the store's lock.
type logWriter struct {
	*logState
	maker        *segmentMaker
	fixed        int64 // Options.SegmentSize
	maxIndexSize int64 // Options.maxIndexSize
	// file is that of the last segment, for writing: opened once and kept until the segment is
	// sealed, so that no error of a sync gets lost.
	file vfs.File
	tail *tailWriter

	durable       logEnd    // everything before it is synced
	unsyncedSince time.Time // since when there is something behind durable; zero if there is nothing
	nonces        nonceSource
	prepared      *nextSegment // or still being so; nil if there is none
	named         *segment     // the successor, when it has its name but the last segment is not sealed yet
	unclean       bool         // there may be other bytes than zeros behind the end of the last segment
	lowSpace      bool
	retryAt       time.Time       // when to try again to prepare, after it failed
	frameMean     int64           // bytes of the last frames, a moving average
	began         int64           // how far the last segment was filled when this process took it over
	opened        engine.Position // of the first event that this process has appended

	syncs    int64
	syncTime time.Duration
	lastSync time.Duration
	ioTime   time.Duration // writes and syncs
}

// openLogWriter opens the recovered log for writing, and notes in TAIL that it is.
func openLogWriter(l *logState, maker *segmentMaker, o *Options) (*logWriter, error) {
	if err := l.claim(); err != nil {
		return nil, err
	}
	tail, err := openTailWriter(l.fs, l.dir, l.store)
	if err != nil {
		return nil, writeError("open TAIL", err)
	}
	f := l.claimed
	l.claimed, l.claimedName = nil, ""
	g := &logWriter{
		logState:     l,
		maker:        maker,
		fixed:        o.SegmentSize,
		maxIndexSize: o.maxIndexSize,
		file:         f,
		tail:         tail,
		durable:      l.end,
		nonces:       nonceSource{random: o.Rand},
	}
	if g.maxIndexSize == 0 {
		g.maxIndexSize = defaultMaxIndexSize
	}
	g.began, g.opened = g.filled(), l.end.next
	if err := g.noteOpen(); err != nil {
		g.closeFiles()
		return nil, err
	}
	return g, nil
}

// noteOpen writes to TAIL, durably, that the log is written to, so that after a crash nobody takes
// it for closed.
func (g *logWriter) noteOpen() error {
	if err := g.promise(0); err != nil {
		return writeError("write TAIL", err)
	}
	if err := g.tail.sync(); err != nil {
		return writeError("sync TAIL", err)
	}
	return writeError("sync "+g.dir, g.fs.SyncDir(g.dir))
}

// promise writes how much of the log is durable to TAIL.
func (g *logWriter) promise(flags uint32) error {
	seg := g.last()
	return g.tail.write(seg.number, seg.generation, flags, &g.durable)
}

// defaultMaxIndexSize is how many bytes of memory the index of the last segment may take: a segment
// whose index takes more is full, whatever its capacity. Otherwise segments with a stream, a tag or
// so for each event would have the process hold hundreds of MB, their own and those of segments
// before it whose index files are being made. Others never come near it.
const defaultMaxIndexSize = 16 << 20

// fits reports whether a frame with n bytes of records fits into the last segment, and the seal
// behind it.
func (g *logWriter) fits(n int) bool {
	end := format.SealAt(g.end.offset+int64(format.FrameSize(n))) + format.PageSize // of the seal's page
	return g.named == nil && g.index.Size() < g.maxIndexSize && end <= g.last().header.Capacity
}

// write writes a frame to the end of the log. b holds room for the frame's header, and then its
// records, which the frame's trailer is appended to; seals are theirs. The frame returned is the
// grown b. When write fails the end of the log is where it was.
func (g *logWriter) write(b []byte, h *format.FrameHeader, seals []format.Seal) ([]byte, error) {
	if h.Nonce == 0 { // a frame of another log brings its own
		nonce, err := g.nonces.next()
		if err != nil {
			return b, writeError("make a nonce", err)
		}
		h.Nonce = nonce
	}
	off := g.end.offset
	h.First, h.Synced = g.end.next, g.durable.offset
	h.Previous, h.PreviousCRC = g.end.previous, g.end.previousCRC
	at := format.Place{Store: g.store, Segment: g.last().number, Offset: off}
	b, _ = format.SealFrame(b, h, at, g.end.chain, seals)
	began := time.Now()
	err := vfs.WriteFull(g.file, b, off)
	g.ioTime += time.Since(began)
	if err == nil || sabotage.On(sabotage.UndoForgotten) {
		g.end = g.end.after(h, b, off)
		if g.frameMean == 0 {
			g.frameMean = int64(len(b))
		}
		g.frameMean = (g.frameMean*7 + int64(len(b))) / 8
	}
	return b, err
}

// wipe zeroes what a write that failed for lack of room has left behind the end of the log, of n
// bytes at most. That may fail too, where even overwriting needs room; what is left has no effect,
// but the segment is not clean.
func (g *logWriter) wipe(n int) {
	g.unclean = true
	if size, err := g.file.Size(); err == nil {
		writeZeros(g.file, g.end.offset, min(size, g.end.offset+int64(n)))
	}
}

// sync makes everything that has been written durable.
func (g *logWriter) sync() error {
	began := time.Now()
	if err := vfs.SyncData(g.file); err != nil {
		return err
	}
	g.lastSync = time.Since(began)
	g.syncs++
	g.syncTime += g.lastSync
	g.ioTime += g.lastSync
	g.durable = g.end
	return nil
}

// rotate seals the last segment and begins the next one, which has room for n bytes of records.
// Everything that was written is durable. poison tells that the log must not be written to any
// more; otherwise rotate can be repeated.
//
// A segment is sealed only when its successor is durable, so that a seal without a successor means
// that a file is lost.
func (g *logWriter) rotate(n int, micros int64) (poison bool, err error) {
	if sabotage.On(sabotage.SealBeforeSuccessor) && g.named == nil {
		if err := g.seal(micros); err != nil {
			return true, err
		}
	}
	if poison, err := g.nameNext(format.FrameSize(n), micros); err != nil {
		return poison, err
	}
	if err := g.seal(micros); err != nil {
		return !vfs.IsFull(err), err
	}
	old, successor := g.last(), g.named
	f, err := g.openLocked(successor.name)
	if err != nil {
		return isLocked(err), err
	}
	old.sealed.Store(&sealedInfo{end: g.end.offset, count: uint32(g.end.next - old.base), least: g.least,
		greatest: g.end.micros, lastChain: g.end.chain})
	g.file.Close()
	g.file, g.named, g.unclean, g.began = f, nil, false, 0
	g.segments = append(g.segments[:len(g.segments):len(g.segments)], successor)
	g.end = startOf(&successor.header, g.end.micros)
	g.durable = g.end
	g.index, g.least = index.NewMemory(successor.base, g.store), 0
	successor.setIndex(g.index)
	return false, nil
}

// openLocked opens a segment for writing and takes its lock.
func (g *logWriter) openLocked(name string) (vfs.File, error) {
	f, err := vfs.OpenFile(g.fs, name, os.O_RDWR)
	if err != nil {
		return nil, err
	}
	if err := f.TryLock(); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// nameNext makes the successor of the last segment durable.
func (g *logWriter) nameNext(frame int, micros int64) (poison bool, err error) {
	if g.named != nil {
		return false, nil
	}
	number := g.last().number + 1
	f, capacity, err := g.takeNext(frame)
	if err != nil {
		return false, err
	}
	h := format.SegmentHeader{Store: g.store, Number: number, Base: g.end.next, Created: micros, ChainIn: g.end.chain,
		Capacity: capacity, Promised: format.SegmentHeaderSize}
	named, err := g.maker.name(f, &h)
	if err != nil {
		return named || !vfs.IsFull(err), err
	}
	seg, err := g.open(segmentName{number: number})
	if err != nil {
		return true, err
	}
	g.named = seg
	return false, nil
}

// seal writes the seal of the last segment and syncs it.
func (g *logWriter) seal(micros int64) error {
	at := format.Place{Store: g.store, Segment: g.last().number, Offset: format.SealAt(g.end.offset)}
	if err := vfs.WriteFull(g.file, g.end.seal(at, micros), at.Offset); err != nil {
		return err
	}
	return g.sync()
}

// settle does what remains to be done after a segment was sealed and can wait: MANIFEST, and
// cutting the file to its size. Both are made up for by the next recovery if they fail.
func (g *logWriter) settle() error {
	err := g.saveManifest(g.describeDurable())
	seg := g.segments[len(g.segments)-2]
	f, errOpen := g.fs.Open(seg.name, os.O_RDWR)
	if errOpen != nil {
		return err
	}
	f.Truncate(format.SealAt(seg.sealed.Load().end) + format.MinFrameSize)
	f.Close()
	return err
}

// describeDurable returns the manifest of what is durable now.
func (g *logWriter) describeDurable() *format.Manifest {
	m := g.describe()
	last := &m.Segments[len(m.Segments)-1]
	last.End, last.Next, last.LastChain, last.Greatest = g.durable.offset, g.durable.next, g.durable.chain,
		g.durable.micros
	return m
}

// close makes everything durable and says so in TAIL, unless the log is poisoned, and closes the
// files.
func (g *logWriter) close(poisoned bool) error {
	var err error
	if !poisoned && g.durable.offset < g.end.offset {
		err = g.sync()
		poisoned = err != nil
	}
	g.dropNext()
	if !poisoned && !g.unclean && g.named == nil && g.promise(format.TailClean) == nil {
		g.tail.sync()
	}
	g.closeFiles()
	return err
}

func (g *logWriter) closeFiles() {
	g.file.Close()
	g.tail.file.Close()
	if g.named != nil {
		g.named.file.Close()
	}
}

// A nonceSource gives random numbers, reading many at once.
type nonceSource struct {
	random io.Reader // nil means crypto/rand
	buf    [512]byte
	left   int
}

func (n *nonceSource) next() (uint64, error) {
	if n.left == 0 {
		random := n.random
		if random == nil {
			random = rand.Reader
		}
		if _, err := io.ReadFull(random, n.buf[:]); err != nil {
			return 0, err
		}
		n.left = len(n.buf)
	}
	n.left -= 8
	return binary.LittleEndian.Uint64(n.buf[n.left:]), nil
}

// now returns the time for the next events, in microseconds: the clock's, unless that went back.
func (g *logWriter) now(s *FileStore) int64 { return max(s.opt.Now().UnixMicro(), g.end.micros) }
