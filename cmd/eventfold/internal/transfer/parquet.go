package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/cmd/eventfold/internal/wholefile"
	"github.com/eventfold/eventfold/engine"
)

// A parquetEvent is a row of Parquet. Payload and metadata are in the column of texts if they are
// text, and otherwise in that of bytes, because readers refuse texts that are none.
type parquetEvent struct {
	Position      int64    `parquet:"position,delta"`
	Stream        string   `parquet:"stream,dict"`
	Version       int64    `parquet:"version"`
	ID            string   `parquet:"id"`
	Type          string   `parquet:"type,dict"`
	Payload       *string  `parquet:"payload,optional"`
	PayloadBytes  []byte   `parquet:"payload_bytes,optional"`
	Metadata      *string  `parquet:"metadata,optional"`
	MetadataBytes []byte   `parquet:"metadata_bytes,optional"`
	Tags          []string `parquet:"tags,list"`
	RecordedAt    int64    `parquet:"recorded_at,timestamp(microsecond)"`
	Redacted      bool     `parquet:"redacted"`
}

// Bounds of what is held in memory: rows, and bytes, of a row group.
const (
	parquetRows  = 50_000
	parquetBytes = 32 << 20
)

// linesSuffix is what the name of a file of Parquet has at its end where its lines are.
const linesSuffix = ".part.lines"

// A parquetTarget is a file of Parquet. Its table of contents is at its end, so that half a file is
// none: the events are kept in a compressed file of lines, which can be gone on with, and become
// Parquet when all are there. The lines and their plan stay until the whole file has its name or is
// about to get it, so that whoever is killed meanwhile has nothing to read from the store again.
type parquetTarget struct {
	*textTarget
	path string // of the file of Parquet
}

func openParquet(path string, p Plan) (Target, error) {
	t, err := openText(path+linesSuffix, lineFormat, Zstd, p)
	if err != nil {
		return nil, err
	}
	return &parquetTarget{t, path}, nil
}

func (t *parquetTarget) Finish(told func(int64)) error {
	if err := t.end(); err != nil {
		return err
	}
	if err := t.convert(told); err != nil {
		return err
	}
	if err := t.file.Close(); err != nil {
		return err
	}
	// The plan goes first, as that of a text does.
	if err := os.Remove(t.textTarget.path + planSuffix); err != nil {
		return err
	}
	if err := wholefile.Place(t.path+partSuffix, t.path); err != nil {
		return err
	}
	return os.Remove(t.textTarget.path + partSuffix)
}

// convert makes the file of Parquet of the lines, and tells of each event.
func (t *parquetTarget) convert(told func(int64)) error {
	f, err := os.OpenFile(t.path+partSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	done := int64(0)
	err = writeParquet(f, func(yield func(eventfold.Event, error) bool) {
		for e, err := range readText(t.textTarget.path+partSuffix, lineFormat, ReadOptions{}) {
			if !yield(e, err) {
				return
			}
			if done++; told != nil {
				told(done)
			}
		}
	})
	return errors.Join(err, f.Close())
}

func writeParquet(f *os.File, events iter.Seq2[eventfold.Event, error]) error {
	w := parquet.NewGenericWriter[parquetEvent](f, parquet.Compression(&zstd.Codec{Level: zstd.SpeedDefault}),
		parquet.CreatedBy("eventfold", "1", ""))
	rows, size := 0, 0
	for e, err := range events {
		if err != nil {
			return err
		}
		if _, err := w.Write([]parquetEvent{parquetRow(&e)}); err != nil {
			return err
		}
		rows, size = rows+1, size+len(e.Payload)+len(e.Metadata)
		if rows == parquetRows || size > parquetBytes {
			if err := w.Flush(); err != nil {
				return err
			}
			rows, size = 0, 0
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return f.Sync()
}

func parquetRow(e *eventfold.Event) parquetEvent {
	p := parquetEvent{
		Position: int64(e.Position), Stream: e.Stream, Version: int64(e.Version), ID: e.ID.String(), Type: e.Type,
		Tags: e.Tags, RecordedAt: e.RecordedAt.UnixMicro(), Redacted: e.Redacted,
	}
	p.Payload, p.PayloadBytes = textOrBytes(e.Payload)
	p.Metadata, p.MetadataBytes = textOrBytes(e.Metadata)
	return p
}

func textOrBytes(b []byte) (*string, []byte) {
	if b == nil {
		return nil, nil
	}
	if !utf8.Valid(b) {
		return nil, b
	}
	s := string(b)
	return &s, nil
}

// parquetRead is how many rows are read at once.
const parquetRead = 64

func readParquet(path string) iter.Seq2[eventfold.Event, error] {
	return func(yield func(eventfold.Event, error) bool) {
		f, err := os.Open(path)
		if err != nil {
			yield(eventfold.Event{}, err)
			return
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			yield(eventfold.Event{}, err)
			return
		}
		var r *parquet.GenericReader[parquetEvent]
		err = guarded(func() error {
			file, err := parquet.OpenFile(f, info.Size())
			if err == nil {
				r = parquet.NewGenericReader[parquetEvent](file)
			}
			return err
		})
		if err != nil {
			yield(eventfold.Event{}, err)
			return
		}
		defer r.Close()
		for row := 1; ; {
			rows := make([]parquetEvent, parquetRead)
			n := 0
			err := guarded(func() (err error) {
				n, err = r.Read(rows)
				return err
			})
			for i := range rows[:n] {
				e, err := rows[i].event()
				if err != nil {
					err = &InputError{Line: row, Err: err}
				}
				if !yield(e, err) || err != nil {
					return
				}
				row++
			}
			if err != nil {
				if err != io.EOF {
					yield(eventfold.Event{}, err)
				}
				return
			}
		}
	}
}

// countParquet returns what the table of contents says.
func countParquet(_ context.Context, path string) (n int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	err = guarded(func() error {
		file, err := parquet.OpenFile(f, info.Size())
		if err == nil {
			n = file.NumRows()
		}
		return err
	})
	return n, err
}

// guarded calls what reads a file of somebody else. What it panics with is an error: the file is
// damaged, or none of Parquet.
func guarded(read func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the file is damaged: %v", p)
		}
	}()
	return read()
}

func (p *parquetEvent) event() (e eventfold.Event, err error) {
	e = eventfold.Event{
		Position: engine.Position(p.Position), Stream: p.Stream, Version: engine.Version(p.Version), Type: p.Type,
		Payload: p.PayloadBytes, Metadata: p.MetadataBytes,
		RecordedAt: time.UnixMicro(p.RecordedAt).UTC(), Redacted: p.Redacted,
	}
	if len(p.Tags) > 0 {
		e.Tags = p.Tags
	}
	if p.Payload != nil {
		e.Payload = []byte(*p.Payload)
	}
	if p.Metadata != nil {
		e.Metadata = []byte(*p.Metadata)
	}
	e.ID, err = idOf(p.ID, "")
	return e, err
}
