package filestore

import (
	"fmt"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
)

// A foreignFrame is a frame of the log that this store is a standby of. Its bytes are those of the
// file that it was read from, and its seals those of its records.
type foreignFrame struct {
	format.FrameHeader
	content []byte // between header and trailer
	seals   []format.Seal
}

// takeFrame writes a frame of another log at the end of this one, which has the same chain value
// there, and lets readers see it: its records, its time and its nonce stay, so that the chain goes
// on as it does in the other log. What tells its place in the file is this store's own.
func (w *writer) takeFrame(f *foreignFrame) error {
	w.served = time.Now()
	g := &w.group
	g.begin(f.Micros)
	g.foreign = &f.FrameHeader
	err := w.placeForeign(f)
	if err == nil {
		err = w.write()
	}
	g.foreign = nil
	g.drop(err)
	if err == nil {
		w.counters.groups.Add(1)
		w.counters.events.Add(int64(f.Count))
		w.log.noticeNext()
		w.log.prepareNext()
		w.counters.lowSpace.Store(w.log.lowSpace)
	}
	return err
}

// placeForeign takes the records of a frame into the group, which is empty. Each must follow the
// event before it in its stream.
func (w *writer) placeForeign(f *foreignFrame) error {
	g := &w.group
	g.seals = append(g.seals, f.seals...)
	at := len(g.buf)
	g.buf = append(g.buf, f.content...)
	for n := range f.Count {
		r, err := format.DecodeRecord(g.buf[at:])
		if err != nil {
			return err
		}
		stream, err := w.stream(string(r.Stream))
		if err != nil {
			return err
		}
		if stream.version+1 != r.Version {
			return fmt.Errorf("eventfold: position %d is version %d of stream %q, expected %d",
				f.First+engine.Position(n), r.Version, r.Stream, stream.version+1)
		}
		stream.version = r.Version
		g.own = g.own || isOwn(r.Stream)
		g.starts = append(g.starts, uint32(at))
		at += r.Size
	}
	if f.Kind == format.FrameEvents {
		g.buf = g.buf[:at] // the zeros behind the last record are written anew
	}
	return nil
}
