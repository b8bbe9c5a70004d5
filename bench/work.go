package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A work is one kind of measuring. Each has a process of its own for each peer and round.
type work struct {
	name  string
	on    ground
	every bool // it is done in every round, otherwise only in the first one
	tries int  // it has so many processes for each try, which job.N counts; 0 is one process for all
	run   func(j job, p peer) ([]result, error)
}

// A ground is the directory that a work is given.
type ground int

const (
	onNothing ground = iota // of a store that is made, and removed behind it
	onSet                   // of the peer's data set, which it leaves as it was
	onCopy                  // a copy of that
	makesSet                // an empty one, which becomes that of the data set
)

// works are what is measured, in this order. A name says what -only calls it.
var works = []work{
	{name: limitsName, on: onNothing, every: true, run: func(j job, _ peer) ([]result, error) { return j.limits() }},
	{name: loadWork, on: makesSet, run: with(job.load, "")},
	{name: loadWork + withIDs, on: onNothing, run: with(job.load, withIDs)},
	{name: "append", on: onNothing, every: true, run: with(job.appends, "")},
	{name: "append" + withIDs, on: onNothing, every: true, run: with(job.appends, withIDs)},
	{name: "growth", on: onNothing, run: job.growth},
	{name: "first", on: onSet, every: true, tries: len(firstReads), run: job.first},
	{name: "read", on: onSet, every: true, run: job.reads},
	{name: "reports", on: onSet, every: true, run: job.reports},
	{name: "beside", on: onNothing, every: true, run: job.beside},
	{name: "followers", on: onNothing, every: true, run: job.followers},
	{name: "watch", on: onNothing, every: true, run: job.watch},
	{name: "restart", on: onNothing, every: true, run: job.restart},
	{name: "killed", on: onCopy, every: true, run: job.killed},
	{name: "verify", on: onSet, every: true, run: job.verify},
}

// with is a work with ids of the store, or of the client.
func with(run func(j job, p peer, ids string) ([]result, error), ids string) func(job, peer) ([]result, error) {
	return func(j job, p peer) ([]result, error) { return run(j, p, ids) }
}

// helpers are what works ask of processes of their own.
var helpers = []work{
	{name: "kill", run: job.kill},
	{name: "watcher", run: job.watcher},
}

const (
	loadWork = "load"
	withIDs  = ", ids" // behind the name of a metric: each event has an id that the client has made
)

func workNamed(name string) *work {
	for _, list := range [][]work{works, helpers} {
		for i := range list {
			if list[i].name == name {
				return &list[i]
			}
		}
	}
	return nil
}

// useIDs makes the peer take ids if the metrics are those with ids.
func useIDs(p peer, ids string) error {
	if ids == "" {
		return nil
	}
	i, ok := p.(identifier)
	if !ok {
		return errUnsupported
	}
	i.useIDs()
	return nil
}

// opened opens the peer, calls do, and closes it.
func (j job) opened(p peer, do func() error) (err error) {
	if err := p.open(j.Dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	return do()
}

// quantile returns the value below which the share q of the list lies, which it sorts. The list is
// not empty.
func quantile(list []float64, q float64) float64 {
	slices.Sort(list)
	return list[int(q*float64(len(list)-1))]
}

// repeated returns what do takes, in milliseconds, as often as asked and as fits a while, but once
// at least.
func repeated(times int, while time.Duration, do func() error) (took []float64, err error) {
	start := time.Now()
	for len(took) == 0 || len(took) < times && time.Since(start) < while {
		began := time.Now()
		if err := do(); err != nil {
			return nil, err
		}
		took = append(took, milliseconds(time.Since(began)))
	}
	return took, nil
}

// counted writes a number of things.
func counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprint(n, " ", noun)
}

func milliseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// diskBytes counts the blocks that a directory takes, so that room only reserved counts too.
func diskBytes(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		n, err := allocated(path)
		total += n
		return err
	})
	return total, err
}

// warm reads every file in dir, so that the system has it in memory: what a process has to read
// first does not depend on what has run before.
func warm(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(io.Discard, f)
		return err
	})
}
