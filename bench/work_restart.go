package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/eventfold/eventfold/engine/vfs"
)

// timesRestarted is how often a store is opened, appended to and closed, while a timed workload
// lasts.
const timesRestarted = 50

// restart measures opening a store that was closed, appending one event and closing it, as a program
// does that is started for each.
func (j job) restart(p peer) (results []result, err error) {
	var disk *timedDisk
	if ours, ok := p.(*eventfoldEngine); ok {
		disk = newTimedDisk()
		ours.options.FS = disk
	}
	err = j.opened(p, func() error {
		_, _, err := j.fill(p, min(j.Events, besideEvents), false)
		return err
	})
	if err != nil {
		return nil, err
	}
	m := randomMaker()
	var without []float64 // syncs
	took, err := repeated(timesRestarted, j.Each, func() error {
		start, synced := time.Now(), disk.spent()
		e := m.event(m.stream(), 0)
		err := j.opened(p, func() error { return p.append(context.Background(), 0, &e) })
		without = append(without, milliseconds(time.Since(start)-(disk.spent()-synced)))
		return err
	})
	if err != nil {
		return nil, err
	}
	results = []result{
		{Metric: "open, append, close", Value: quantile(took, 0.5)},
		{Metric: "open, append, close p99", Value: quantile(took, 0.99)},
	}
	if disk != nil {
		results = append(results, result{Metric: "open, append, close without syncs", Value: quantile(without, 0.5)})
	}
	return results, nil
}

// A timedDisk is a disk that counts the time which syncs take.
type timedDisk struct {
	vfs.FS
	syncing *atomic.Int64 // nanoseconds
}

func newTimedDisk() *timedDisk { return &timedDisk{FS: vfs.OS(), syncing: new(atomic.Int64)} }

// spent returns the time that syncs have taken so far. The nil disk has none.
func (d *timedDisk) spent() time.Duration {
	if d == nil {
		return 0
	}
	return time.Duration(d.syncing.Load())
}

func (d *timedDisk) time(sync func() error) error {
	start := time.Now()
	err := sync()
	d.syncing.Add(time.Since(start).Nanoseconds())
	return err
}

// Open implements vfs.FS.
func (d *timedDisk) Open(name string, flag int) (vfs.File, error) {
	f, err := d.FS.Open(name, flag)
	if err != nil {
		return nil, err
	}
	return timedFile{f, d}, nil
}

// HoldDir implements vfs.DirHolder.
func (d *timedDisk) HoldDir(dir string) (vfs.FS, io.Closer, error) {
	holder, ok := d.FS.(vfs.DirHolder)
	if !ok {
		return nil, nil, errors.ErrUnsupported
	}
	held, closer, err := holder.HoldDir(dir)
	if err != nil {
		return nil, nil, err
	}
	return &timedDisk{FS: held, syncing: d.syncing}, closer, nil
}

// SyncDir implements vfs.FS.
func (d *timedDisk) SyncDir(dir string) error {
	return d.time(func() error { return d.FS.SyncDir(dir) })
}

type timedFile struct {
	vfs.File
	disk *timedDisk
}

// Fdatasync implements vfs.File.
func (f timedFile) Fdatasync() error { return f.disk.time(f.File.Fdatasync) }

// Fsync implements vfs.File.
func (f timedFile) Fsync() error { return f.disk.time(f.File.Fsync) }

// killedAppends is how many events a process appends before it is killed.
func (j job) killedAppends() int64 { return min(int64(wholeSet(j.Events)/10), 1000) }

// killed measures opening a store whose process was killed while nothing was being appended, up to
// the first stream read. Servers, whose processes are others, are not measured.
func (j job) killed(p peer) (results []result, err error) {
	if _, ok := p.(*postgresStore); ok {
		return nil, errUnsupported
	}
	names := namesOf(j.Events)
	var took []float64
	for try := range j.Tries {
		if err := j.killOne(try); err != nil {
			return nil, err
		}
		start := time.Now()
		err := j.opened(p, func() error {
			var d digest
			if err := p.readStream(names.near[try], d.add); err != nil && !errors.Is(err, errUnsupported) {
				return err
			} else if err == nil && d.events != shortStream {
				return fmt.Errorf("a stream has %d events", d.events)
			}
			took = append(took, milliseconds(time.Since(start)))
			return j.holdsKilled(p, try)
		})
		if err != nil {
			return nil, err
		}
	}
	return []result{{Metric: "open, killed", Value: quantile(took, 0.5)}}, nil
}

func killedStream(try int) string { return fmt.Sprintf("killed-%03d", try) }

// holdsKilled returns an error unless everything is there that the killed process had appended.
func (j job) holdsKilled(p peer, try int) error {
	var d digest
	err := p.readStream(killedStream(try), d.add)
	if errors.Is(err, errUnsupported) {
		return nil
	}
	if err == nil && d.events != j.killedAppends() {
		err = fmt.Errorf("%d events are left of %d that were acknowledged", d.events, j.killedAppends())
	}
	return err
}

// killOne starts a process that appends and kills itself. Whatever else ends it is an error.
func (j job) killOne(try int) error {
	ctx, cancel := context.WithTimeout(context.Background(), childDeadline)
	defer cancel()
	j.Work, j.N = "kill", try
	cmd, err := j.command(ctx)
	if err != nil {
		return err
	}
	out, err := cmd.CombinedOutput()
	if err == nil { // it lives, because the peer takes no single appends
		return errUnsupported
	}
	if _, statErr := os.Stat(filepath.Join(j.Dir, killedMark)); statErr != nil {
		return errors.Join(err, fmt.Errorf("the process to be killed: %s", out))
	}
	return os.Remove(filepath.Join(j.Dir, killedMark))
}

// killedMark is a file that says that everything was appended.
const killedMark = "bench-appended"

// kill appends and kills its own process.
func (j job) kill(p peer) ([]result, error) {
	if err := p.open(j.Dir); err != nil {
		return nil, err
	}
	for version := range j.killedAppends() {
		e := randomEvent(killedStream(j.N), version)
		if err := p.append(context.Background(), 0, &e); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(filepath.Join(j.Dir, killedMark), nil, 0o644); err != nil {
		return nil, err
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return nil, err
	}
	return nil, self.Kill()
}
