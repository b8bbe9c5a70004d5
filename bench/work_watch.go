package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/eventfold/eventfold"
)

// watcherCounts are how many follow a store in another process, which only reads.
var watcherCounts = []int{1, 20, 200}

const (
	watchedStream = "watched"
	watchEvery    = 5 * time.Millisecond // an event is appended while they follow
)

// A sighting is what a watcher has to tell.
type sighting struct {
	Idle float64 // percent of a processor while nobody writes
	At   []int64 // when each event came, in nanoseconds since 1970
}

// watch measures followers in another process: what they take while nobody writes, and how long
// after an append has returned its event is there. Less than nothing means before that.
func (j job) watch(p peer) (results []result, err error) {
	if _, ok := p.(*eventfoldSQL); !ok {
		return nil, errUnsupported
	}
	err = j.opened(p, func() error {
		stored := int64(0)
		for _, count := range watcherCounts {
			n, some, err := j.watchedBy(p, count, stored)
			if err != nil {
				return fmt.Errorf("%s: %w", counted(count, "watcher"), err)
			}
			stored, results = stored+n, append(results, some...)
		}
		return nil
	})
	return results, err
}

// watchedBy starts a process of so many watchers of a store in whose stream so many events are.
func (j job) watchedBy(p peer, count int, stored int64) (n int64, results []result, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), childDeadline)
	defer cancel()
	j.Work, j.N = "watcher", count
	cmd, err := j.command(ctx)
	if err != nil {
		return 0, nil, err
	}
	cmd.Stderr = os.Stderr
	orders, err := cmd.StdinPipe()
	if err != nil {
		return 0, nil, err
	}
	answers, err := cmd.StdoutPipe()
	if err != nil {
		return 0, nil, err
	}
	e := randomEvent(watchedStream, stored) // by which the watcher knows that it follows
	if err := p.append(ctx, 0, &e); err != nil {
		return 0, nil, err
	}
	if err := cmd.Start(); err != nil {
		return 0, nil, err
	}
	defer cmd.Wait() // after an error; otherwise it has ended
	defer cancel()
	in := bufio.NewReader(answers)
	if _, err := in.ReadString('\n'); err != nil { // it has measured how idle it is
		return 0, nil, err
	}
	returned, err := j.appendSlowly(p, stored+1)
	if err != nil {
		return 0, nil, err
	}
	if _, err := fmt.Fprintln(orders, stored+1+int64(len(returned))); err != nil {
		return 0, nil, err
	}
	var seen sighting
	if err := json.NewDecoder(in).Decode(&seen); err != nil {
		return 0, nil, err
	}
	results, err = seen.results(count, returned)
	return 1 + int64(len(returned)), results, err
}

// appendSlowly appends events one by one and returns when each append did.
func (j job) appendSlowly(p peer, version int64) (returned []int64, err error) {
	for range max(int(j.Each/watchEvery), 2) {
		e := randomEvent(watchedStream, version)
		if err := p.append(context.Background(), 0, &e); err != nil {
			return nil, err
		}
		returned = append(returned, time.Now().UnixNano())
		version++
		time.Sleep(watchEvery)
	}
	return returned, nil
}

func (s sighting) results(watchers int, returned []int64) ([]result, error) {
	if len(s.At) < len(returned) {
		return nil, fmt.Errorf("%d events came of %d", len(s.At), len(returned))
	}
	late := s.At[len(s.At)-len(returned):]
	took := make([]float64, len(returned))
	for i := range took {
		took[i] = float64(late[i]-returned[i]) / 1e6
	}
	name := counted(watchers, "watcher")
	return []result{
		{Metric: name + " idle", Value: s.Idle},
		{Metric: name + " p50", Value: quantile(took, 0.5)},
		{Metric: name + " p99", Value: quantile(took, 0.99)},
	}, nil
}

// watcher follows a store that another process writes, with N followers, of which one is the watched
// stream's. It says when it has been idle for a while, and then waits until it has seen as many
// events of the stream as it is told.
func (j job) watcher(p peer) (results []result, err error) {
	ours, ok := p.(*eventfoldSQL)
	if !ok {
		return nil, errUnsupported
	}
	if err := ours.openMode(j.Dir, eventfold.ReadOnly); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var following sync.WaitGroup
	defer func() {
		cancel()
		following.Wait()
		err = errors.Join(err, ours.close())
	}()
	var seen watchList
	streams := append([]string{watchedStream}, followedStreams(j.N)[1:]...)
	for _, stream := range streams {
		following.Go(func() { _ = ours.follow(ctx, stream, seen.add) }) // ends with ctx
	}
	var told sighting
	if told.Idle, err = j.idle(); err != nil {
		return nil, err
	}
	var events int
	fmt.Println("ready")
	if _, err := fmt.Scanln(&events); err != nil {
		return nil, err
	}
	if told.At, err = seen.wait(events); err != nil {
		return nil, err
	}
	if err := json.NewEncoder(os.Stdout).Encode(told); err != nil {
		return nil, err
	}
	return nil, nil
}

// idle returns how many percent of a processor this process takes while it has nothing to do, after
// a while in which it may have begun.
func (j job) idle() (percent float64, err error) {
	time.Sleep(max(j.Each/2, 100*time.Millisecond))
	before, err := ownTime()
	if err != nil {
		return 0, err
	}
	start := time.Now()
	time.Sleep(j.Each)
	elapsed := time.Since(start)
	after, err := ownTime()
	return 100 * (after - before).Seconds() / elapsed.Seconds(), err
}

// ownTime returns the processor time that this process has taken.
func ownTime() (time.Duration, error) {
	var usage syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), err
}

// A watchList has the times at which events came.
type watchList struct {
	mu sync.Mutex // protects at
	at []int64
}

func (l *watchList) add(*event) {
	now := time.Now().UnixNano()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = append(l.at, now)
}

// wait returns the times of so many events when they have come.
func (l *watchList) wait(events int) (at []int64, err error) {
	start := time.Now()
	for {
		l.mu.Lock()
		at = append(at[:0], l.at...)
		l.mu.Unlock()
		if len(at) >= events {
			return at, nil
		}
		if time.Since(start) > deliveryDeadline {
			return nil, fmt.Errorf("%d of %d events have been delivered", len(at), events)
		}
		time.Sleep(time.Millisecond)
	}
}
