package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/eventfold/eventfold/cmd/eventfold/internal/wholefile"
)

// mostRemembered is how many entries of a history are kept.
const mostRemembered = 1000

// historyFile is where what was typed is kept: in the directory for the state of programs.
func historyFile() string {
	dir := os.Getenv("XDG_STATE_HOME")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "eventfold", "history")
}

// A history is a file with an entry on each line, as a string of JSON, oldest first. Only its owner
// may read it. Several shells append to it at once.
type history struct {
	path    string
	entries []string
}

// openHistory reads a history, and makes its directory. One that has become long is made short.
func openHistory(path string) (*history, error) {
	if path == "" {
		return nil, errors.New("there is no home directory")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	h := &history{path: path}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, errors.New("the history is no file"))
	}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var entry string
		if json.Unmarshal(lines.Bytes(), &entry) == nil {
			h.entries = append(h.entries, entry)
		}
	}
	if len(h.entries) > 2*mostRemembered {
		h.entries = h.entries[len(h.entries)-mostRemembered:]
		return h, h.rewrite()
	}
	return h, nil
}

// rewrite replaces the file by the entries.
func (h *history) rewrite() error {
	var b []byte
	for _, entry := range h.entries {
		b = append(appendJSONText(b, entry), '\n')
	}
	return wholefile.Write(h.path, wholefile.Private, wholefile.Content(b))
}

// Write keeps an entry, unless it is the last one again, or begins with a blank.
func (h *history) Write(text string) (int, error) {
	n := len(h.entries)
	if strings.TrimSpace(text) == "" || text[0] == ' ' || n > 0 && h.entries[n-1] == text {
		return n, nil
	}
	h.entries = append(h.entries, text)
	f, err := os.OpenFile(h.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return n + 1, nil // it is remembered until the shell is left
	}
	_, err = f.Write(append(appendJSONText(nil, text), '\n'))
	return n + 1, errors.Join(err, f.Close())
}

// GetLine returns an entry.
func (h *history) GetLine(i int) (string, error) {
	if i < 0 || i >= len(h.entries) {
		return "", errors.New("there is no such entry")
	}
	return h.entries[i], nil
}

// Len returns the number of entries.
func (h *history) Len() int { return len(h.entries) }

// Dump returns all entries.
func (h *history) Dump() any { return h.entries }
