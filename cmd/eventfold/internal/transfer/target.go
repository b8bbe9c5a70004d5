package transfer

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/cmd/eventfold/internal/wholefile"
	"github.com/eventfold/eventfold/engine"
)

// A Plan is what an export writes, and what it compares to go on with one that was begun.
type Plan struct {
	Format string          `json:"format"`
	Head   string          `json:"head"` // of the store, with its chain value: up to where
	From   engine.Position `json:"from"`
	Where  string          `json:"where,omitempty"`
	Source string          `json:"source"`
}

// A Target is a file that events are written to. It gets its name from Finish.
type Target interface {
	// Next returns the position to go on from: that of the plan, or behind what an earlier export has
	// written.
	Next() engine.Position
	Write(e *eventfold.Event) error
	// Checkpoint makes what was written durable, so that it is gone on with behind it.
	Checkpoint() error
	// Finish makes the file whole and gives it its name. told, if it is not nil, is called with
	// the number of events that are done, wherever that takes long.
	Finish(told func(done int64)) error
	// Close closes a file that is not finished, which stays to be gone on with.
	Close() error
}

// partSuffix is what the name of an unfinished file has at its end, and planSuffix that of the file
// beside it which says how far it has come.
const (
	partSuffix = ".part"
	planSuffix = ".part.json"
)

// Begun returns the plan of an export to path that was begun, nil if there is none. Whoever calls it,
// Discard or OpenTarget holds the [Lock] of path.
func Begun(path string, f *Format) (*Plan, error) {
	switch f.Name {
	case "sqlite":
		return begunSQLite(path)
	case "parquet":
		path += linesSuffix
	}
	c, err := readCheckpoint(path)
	if err != nil || c == nil {
		return nil, err
	}
	return &c.Plan, nil
}

// OpenTarget opens the file at path to write events to it, or to go on with what an earlier export of
// the same plan has written. What has the name already is replaced by Finish.
func OpenTarget(path string, f *Format, c Compression, p Plan) (Target, error) {
	if f.Text {
		t, err := openText(path, f, c, p)
		if err != nil {
			return nil, err
		}
		return t, nil
	}
	return f.target(path, p)
}

// Discard removes what an earlier export to path has left unfinished.
func Discard(path string) error {
	for _, name := range []string{
		planSuffix, partSuffix, partSuffix + "-journal", linesSuffix + planSuffix, linesSuffix + partSuffix,
	} {
		if err := os.Remove(path + name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// A checkpoint says how far a text has come.
type checkpoint struct {
	Plan
	Next engine.Position `json:"next"`
	Size int64           `json:"size"` // of the file
}

func readCheckpoint(path string) (*checkpoint, error) {
	b, err := os.ReadFile(path + planSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var c checkpoint
	if err := json.Unmarshal(b, &c); err != nil {
		return nil, &StuckError{path, fmt.Errorf("%s: %w", path+planSuffix, err)}
	}
	return &c, nil
}

// A textTarget is a file of lines, which consists of pieces: each is compressed by itself, and there
// is a checkpoint behind each.
type textTarget struct {
	path        string
	format      *Format
	compression Compression
	done        checkpoint
	next        engine.Position

	file  *os.File
	buf   *bufio.Writer
	piece io.WriteCloser // nil between two pieces
	out   writer
}

func openText(path string, f *Format, c Compression, p Plan) (*textTarget, error) {
	t := &textTarget{path: path, format: f, compression: c, done: checkpoint{Plan: p, Next: p.From}}
	before, err := readCheckpoint(path)
	if err != nil {
		return nil, err
	}
	if before != nil {
		if before.Plan != p {
			text, _ := json.Marshal(before.Plan)
			return nil, otherPlan(path, string(text))
		}
		t.done = *before
	}
	t.next = t.done.Next
	if t.file, err = os.OpenFile(path+partSuffix, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, err
	}
	if err = t.cut(); err != nil {
		return nil, errors.Join(err, t.file.Close())
	}
	t.buf = bufio.NewWriterSize(t.file, 1<<18)
	return t, nil
}

// cut takes away what was written behind the last checkpoint.
func (t *textTarget) cut() error {
	info, err := t.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() < t.done.Size {
		return &StuckError{t.path, fmt.Errorf("it is shorter than %s%s says", t.path, planSuffix)}
	}
	if err := t.file.Truncate(t.done.Size); err != nil {
		return err
	}
	_, err = t.file.Seek(t.done.Size, io.SeekStart)
	return err
}

func (t *textTarget) Next() engine.Position { return t.next }

func (t *textTarget) Write(e *eventfold.Event) error {
	if t.piece == nil {
		var err error
		if t.piece, err = t.compression.compress(t.buf); err != nil {
			return err
		}
		if t.out, err = t.format.newWriter(t.piece, t.done.Size == 0, t.done.Source); err != nil {
			return err
		}
	}
	t.next = e.Position + 1
	return t.out.Write(e)
}

func (t *textTarget) Checkpoint() error {
	if t.piece == nil {
		return nil
	}
	if err := errors.Join(t.out.Close(), t.piece.Close(), t.buf.Flush()); err != nil {
		return err
	}
	t.piece = nil
	size, err := t.file.Seek(0, io.SeekCurrent)
	if err == nil {
		err = t.file.Sync()
	}
	if err != nil {
		return err
	}
	t.done.Next, t.done.Size = t.next, size
	b, err := json.Marshal(&t.done)
	if err != nil {
		return err
	}
	return wholefile.Write(t.path+planSuffix, wholefile.Private, wholefile.Content(b))
}

func (t *textTarget) Finish(func(int64)) error {
	if err := t.end(); err != nil {
		return err
	}
	if err := errors.Join(t.file.Sync(), t.file.Close()); err != nil {
		return err
	}
	// Without its plan the file would be written anew, if the machine stopped here; with a plan, and
	// the name, nobody would know what to go on with.
	if err := os.Remove(t.path + planSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return wholefile.Place(t.path+partSuffix, t.path)
}

// end writes what is left. No events are a file, too.
func (t *textTarget) end() error {
	if t.piece == nil && t.done.Size == 0 {
		if err := t.empty(); err != nil {
			return err
		}
	}
	return t.Checkpoint()
}

// empty begins a file that no event is written to.
func (t *textTarget) empty() (err error) {
	if t.piece, err = t.compression.compress(t.buf); err != nil {
		return err
	}
	t.out, err = t.format.newWriter(t.piece, true, t.done.Source)
	return err
}

func (t *textTarget) Close() error { return t.file.Close() }

// syncFile makes a file durable.
func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Read reads the events of a file, or of the text that in gives, unless it is nil.
func Read(path string, in io.Reader, f *Format, o ReadOptions) iter.Seq2[eventfold.Event, error] {
	switch {
	case !f.Text:
		return f.readFile(path)
	case in != nil:
		return readFrom(in, f, o)
	}
	return readText(path, f, o)
}

func readText(path string, f *Format, o ReadOptions) iter.Seq2[eventfold.Event, error] {
	return func(yield func(eventfold.Event, error) bool) {
		file, err := os.Open(path)
		if err != nil {
			yield(eventfold.Event{}, err)
			return
		}
		defer file.Close()
		readFrom(file, f, o)(yield)
	}
}

func readFrom(in io.Reader, f *Format, o ReadOptions) iter.Seq2[eventfold.Event, error] {
	return func(yield func(eventfold.Event, error) bool) {
		r, err := decompress(in)
		if err != nil {
			yield(eventfold.Event{}, err)
			return
		}
		defer r.Close()
		f.read(r, o)(yield)
	}
}

// WriteTo writes events as a text to w, with what compresses it.
func WriteTo(
	w io.Writer, f *Format, c Compression, source string, events iter.Seq2[eventfold.Event, error],
) (n int64, err error) {
	buf := bufio.NewWriterSize(w, 1<<16)
	piece, err := c.compress(buf)
	if err != nil {
		return 0, err
	}
	out, err := f.newWriter(piece, true, source)
	if err != nil {
		return 0, err
	}
	for e, err := range events {
		if err != nil {
			return n, errors.Join(err, buf.Flush())
		}
		if err := out.Write(&e); err != nil {
			return n, err
		}
		n++
	}
	return n, errors.Join(out.Close(), piece.Close(), buf.Flush())
}
