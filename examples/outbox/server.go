package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// A server takes events with POST.
type server struct {
	url, checkpoint string
	from            int64
	client          http.Client
}

// openServer reads the checkpoint.
func openServer(url, checkpoint string) (*server, error) {
	s := &server{url: url, checkpoint: checkpoint, client: http.Client{Timeout: 30 * time.Second}}
	text, err := os.ReadFile(checkpoint)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, nil
	case err != nil:
		return nil, err
	}
	s.from, err = strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || s.from < 0 {
		return nil, fmt.Errorf("%s: %q is no position", checkpoint, text)
	}
	return s, nil
}

func (s *server) next() int64  { return s.from }
func (s *server) Close() error { return nil }

// publish sends an event until it is taken, and then moves the checkpoint.
func (s *server) publish(ctx context.Context, m message) error {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 30*time.Second) {
		err := s.post(ctx, m)
		if err == nil {
			return s.move(m.Position + 1)
		}
		fmt.Fprintln(os.Stderr, "try again in", pause, "because of", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// post sends an event. Whoever takes it twice has seen its key before.
func (s *server) post(ctx context.Context, m message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", m.ID)
	answer, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s answers %s", s.url, answer.Status)
	}
	return nil
}

// move writes the checkpoint beside, and gives it its name when it is whole and on the disk: after a
// power cut there is the one checkpoint or the other, and never an empty file.
func (s *server) move(next int64) error {
	beside := s.checkpoint + ".new"
	if err := writeSynced(beside, strconv.FormatInt(next, 10)+"\n"); err != nil {
		return err
	}
	if err := os.Rename(beside, s.checkpoint); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(s.checkpoint))
}

// writeSynced writes a file that is on the disk when it returns.
func writeSynced(name, text string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncDirectory makes the names in a directory durable.
func syncDirectory(name string) error {
	if runtime.GOOS == "windows" { // which keeps names by itself
		return nil
	}
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
