package shred

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/eventfold/eventfold/engine/vfs"
)

// A fileState is what the file of a keyring says.
type fileState struct {
	all      map[string]*subjectKeys
	epoch    epochKey
	previous string // the epoch whose key is to be destroyed, "" for none
	next     string // the epoch that an erasure begins, "" for none
	lines    int    // of the file
	size     int64  // of them, in bytes
	torn     bool   // something follows them that was not written to its end
	marked   bool   // the last one is a mark
	seen     vfs.FileInfo
}

// maxKeyringBytes is more than a keyring in files should have: some 100 million subjects.
const maxKeyringBytes = 16 << 30

// readState reads a keyring.
func readState(ctx context.Context, fsys vfs.FS, path string, epochs EpochKeys) (*fileState, error) {
	text, seen, err := readFrom(fsys, path, 0)
	if err != nil {
		return nil, err
	}
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	h, err := readHeader(path, first)
	if err != nil {
		return nil, err
	}
	secret, err := epochs.Get(ctx, h.Epoch)
	if errors.Is(err, ErrNoEpoch) {
		err = &EpochError{Epoch: h.Epoch, Keyring: path}
	}
	if err != nil {
		return nil, err
	}
	s := &fileState{
		all: map[string]*subjectKeys{}, epoch: epochKey{h.Epoch, secret},
		previous: h.Previous, next: h.Next, lines: 1, size: int64(len(first)) + 1, seen: seen,
	}
	if err := s.add(path, rest); err != nil {
		return nil, err
	}
	if s.lines == 1 { // which no keyring has: its first key is made with it
		return nil, &DamagedError{Path: path, Reason: "is cut off behind its first line"}
	}
	return s, nil
}

// readFrom reads a file from an offset to its end.
func readFrom(fsys vfs.FS, path string, from int64) (text []byte, seen vfs.FileInfo, err error) {
	f, err := vfs.OpenToRead(fsys, path)
	if err != nil {
		return nil, seen, err
	}
	defer f.Close()
	if seen, err = f.Info(); err != nil {
		return nil, seen, err
	}
	if seen.Size > maxKeyringBytes {
		return nil, seen, &DamagedError{Path: path, Reason: "is too long for a keyring"}
	}
	text = make([]byte, max(0, seen.Size-from))
	n, err := f.ReadAt(text, from)
	return text[:n], seen, vfs.IgnoreEOF(err)
}

// add reads the lines that follow those that have been read.
func (s *fileState) add(path string, text []byte) error {
	s.torn = false
	for len(text) > 0 {
		end := bytes.IndexByte(text, '\n')
		if end < 0 {
			s.torn = true
			return nil
		}
		line := text[:end]
		text = text[end+1:]
		r, ok := s.epoch.record(s.lines+1, line)
		if !ok && s.isTorn(line, text) {
			s.torn = true
			return nil
		}
		s.marked = r.Subject == ""
		if !ok || !s.marked && !apply(s.all, r) {
			return damagedLine(path, s.lines+1)
		}
		if r.Next != "" {
			s.next = r.Next
		}
		s.lines++
		s.size += int64(end) + 1
	}
	return nil
}

// maxTornLines is how many lines the rest of one write can look like: what the disk holds of it may be
// anything, line ends included.
const maxTornLines = 64

// isTorn reports whether a line that cannot be read, with what follows it, is the rest of a write
// that did not come to its end, and not damage: no line behind it can be read, and at most one of
// them all is made of what lines are made of.
func (s *fileState) isTorn(line, rest []byte) bool {
	lines := bytes.Split(rest, []byte("\n"))
	if len(lines) > maxTornLines {
		return false
	}
	whole := 0
	for i, other := range append([][]byte{line}, lines[:len(lines)-1]...) {
		if _, err := decode(string(other)); err == nil && len(other) > 0 {
			whole++
		}
		for number := s.lines + 2; number <= s.lines+1+i; number++ {
			if _, ok := s.epoch.record(number, other); ok {
				return false
			}
		}
	}
	return whole < 2
}

// text makes the file anew, of an epoch. An erasure that is under way stays so, unless that epoch is
// the one that it begins. It returns how many lines there are.
func (s *fileState) text(epoch epochKey, previous string) (text []byte, lines int, err error) {
	h := keyringHeader{Version: keyringVersion, Epoch: epoch.name, Previous: previous}
	if epoch.name != s.next {
		h.Next = s.next
	}
	text, err = json.Marshal(h)
	if err != nil {
		return nil, 0, err
	}
	text, lines = append(text, '\n'), 1
	for _, r := range append(records(s.all), record{}) {
		line, err := epoch.line(lines+1, r)
		if err != nil {
			return nil, 0, err
		}
		text, lines = append(text, line...), lines+1
	}
	return text, lines, nil
}
