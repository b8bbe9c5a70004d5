package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// A file has a line of JSON for each event.
type file struct {
	f    *os.File
	from int64
}

// openFile reads how far the file is, and cuts off a line that was written by half.
func openFile(name string) (*file, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	from, whole, err := lastLine(f)
	if err == nil {
		err = f.Truncate(whole)
	}
	if err == nil {
		_, err = f.Seek(whole, io.SeekStart)
	}
	if err == nil { // the file may be new
		err = syncDirectory(filepath.Dir(name))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
	}
	return &file{f, from}, nil
}

// lastLine returns the position behind that of the last whole line, and where that line ends.
func lastLine(r io.Reader) (next, end int64, err error) {
	var last []byte
	for in := bufio.NewReader(r); ; {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, 0, err
		}
		last, end = line, end+int64(len(line))
	}
	if last == nil {
		return 0, 0, nil
	}
	m := message{Position: -1}
	if err := json.Unmarshal(last, &m); err != nil || m.Position < 0 {
		return 0, 0, errors.New("its last line is no published event")
	}
	return m.Position + 1, end, nil
}

func (f *file) next() int64  { return f.from }
func (f *file) Close() error { return f.f.Close() }

// publish writes the line of an event. A program with many would call Sync less often: the lines
// that a power cut takes are written again.
func (f *file) publish(_ context.Context, m message) error {
	var line bytes.Buffer
	if err := json.NewEncoder(&line).Encode(m); err != nil {
		return err
	}
	if _, err := f.f.Write(line.Bytes()); err != nil {
		return err
	}
	return f.f.Sync()
}
