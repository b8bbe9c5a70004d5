package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// A result is one measured figure.
type result struct {
	Metric string  // "append 64", "scan", ...
	Value  float64 // in the metric's unit
	Answer string  `json:",omitempty"` // what was read, which is the same from every store
	Failed string  `json:",omitempty"` // why there is no figure
}

// A job is what a child process is asked to measure: one kind of work on one peer.
type job struct {
	Peer   string
	Work   string // the name of one of works
	Dir    string
	Events int           // of the data set
	Each   time.Duration // the length of each timed workload
	Tries  int           // how often is tried what is short and starts from scratch
	N      int           `json:",omitempty"` // a number that the work gives to processes of its own
}

// run measures, and returns no results where the peer does not do what is measured.
func (j job) run() ([]result, error) {
	work := workNamed(j.Work)
	if work == nil {
		return nil, fmt.Errorf("there is no work %q", j.Work)
	}
	var p peer
	if j.Peer != limitsName {
		if p = newPeer(j.Peer); p == nil {
			return nil, fmt.Errorf("there is no peer %q", j.Peer)
		}
	}
	results, err := work.run(j, p)
	if errors.Is(err, errUnsupported) {
		err = nil
	}
	if missing := (*missingError)(nil); errors.As(err, &missing) {
		return []result{{Metric: missingMetric, Failed: missing.Error()}}, nil
	}
	return results, err
}

// missingMetric is the result of a job whose peer is not installed.
const missingMetric = "missing"

// newPeer makes a peer that is not open yet, nil if none has that name.
func newPeer(name string) peer {
	for _, p := range peers {
		if p.name == name {
			return p.make()
		}
	}
	return nil
}

// childFlag is how a program is started that runs one job: its last argument is the job.
const childFlag = "-child"

// isChild reports whether this process is to run one job, and runs it. Tests of this package do it, too.
func isChild() bool {
	if len(os.Args) != 3 || os.Args[1] != childFlag {
		return false
	}
	if err := runChild(os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

// runChild measures one job and prints the results as JSON.
func runChild(text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	results, err := j.run()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(results)
}

// command is a process that runs the job.
func (j job) command(ctx context.Context) (*exec.Cmd, error) {
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, os.Args[0], childFlag, string(text)), nil
}

// childDeadline ends a job that would hold up the whole run.
const childDeadline = 15 * time.Minute

// runInChild runs the job in a process of its own, and returns how many processors others kept busy
// meanwhile.
func (j job) runInChild() (results []result, others float64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), childDeadline)
	defer cancel()
	cmd, err := j.command(ctx)
	if err != nil {
		return nil, 0, err
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start, busy := time.Now(), busyTicks()
	if err := cmd.Run(); err != nil {
		return nil, 0, fmt.Errorf("%w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	own := (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	others = ((busyTicks()-busy)/100 - own) / time.Since(start).Seconds()
	if err := json.Unmarshal(stdout.Bytes(), &results); err != nil {
		return nil, 0, fmt.Errorf("it printed %q: %w", stdout.String(), err)
	}
	return results, others, nil
}
