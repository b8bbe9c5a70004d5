package main

import (
	"container/heap"
	"time"
)

// replicas is how many servers have a bucket.
const replicas = 3

// A model is what is simulated.
type model struct {
	servers, buckets, clients int
	sync, rtt, batch, event   time.Duration
}

// A result is what has come of it.
type result struct {
	rate float64       // appends in a second, of all buckets
	mean time.Duration // of an append
}

// A resource does one thing at a time, in the order in which it is asked.
type resource struct{ free time.Duration }

// A bucket publishes one batch at a time.
type bucket struct {
	servers [replicas]int // the first one leads
	waiting []time.Duration
	busy    bool
}

// A simulation is a model at one moment.
type simulation struct {
	model
	now        time.Duration
	events     events
	numbers    int64 // of events so far
	processors []resource
	disks      []resource
	done       int
	took       time.Duration // of all that are done
}

// run simulates a time.
func (m model) run(length time.Duration) result {
	s := &simulation{model: m, processors: make([]resource, m.servers), disks: make([]resource, m.servers)}
	for n := range m.buckets {
		b := &bucket{}
		for r := range replicas { // three by three, and then again with another one of the three as the leader
			b.servers[r] = (n*replicas + (r+n*replicas/m.servers)%replicas) % m.servers
		}
		for range m.clients {
			s.at(m.rtt/2, func() { s.append(b, 0) })
		}
	}
	for len(s.events) > 0 {
		e := heap.Pop(&s.events).(event)
		if e.at > length {
			break
		}
		s.now = e.at
		e.do()
	}
	return result{rate: float64(s.done) / length.Seconds(), mean: s.took / time.Duration(max(s.done, 1))}
}

// append is an append that has come to the leader, which was begun at a time.
func (s *simulation) append(b *bucket, begun time.Duration) {
	b.waiting = append(b.waiting, begun)
	if !b.busy {
		s.publish(b)
	}
}

// publish has the servers of a bucket store what waits.
func (s *simulation) publish(b *bucket) {
	batch := b.waiting
	b.waiting, b.busy = nil, true
	stored := 0
	for r, server := range b.servers {
		way := s.rtt / 2
		if r == 0 {
			way = 0
		}
		s.at(way, func() {
			s.use(&s.processors[server], s.batch+s.event*time.Duration(len(batch)), func() {
				s.use(&s.disks[server], s.sync, func() {
					s.at(way, func() {
						if stored++; stored == replicas/2+1 {
							s.acknowledge(b, batch)
						}
					})
				})
			})
		})
	}
}

// acknowledge answers the clients of a batch, who append again.
func (s *simulation) acknowledge(b *bucket, batch []time.Duration) {
	for _, begun := range batch {
		s.done++
		s.took += s.now + s.rtt/2 - begun
		s.at(s.rtt, func() { s.append(b, s.now-s.rtt/2) })
	}
	b.busy = false
	if len(b.waiting) > 0 {
		s.publish(b)
	}
}

// use has a resource do something for a time.
func (s *simulation) use(r *resource, d time.Duration, then func()) {
	r.free = max(r.free, s.now) + d
	s.at(r.free-s.now, then)
}

// at does something after a time.
func (s *simulation) at(d time.Duration, do func()) {
	heap.Push(&s.events, event{at: s.now + d, number: s.numbers, do: do})
	s.numbers++
}

// An event is what is to be done at a time.
type event struct {
	at     time.Duration
	number int64 // those of one time are done in the order in which they were added
	do     func()
}

type events []event

func (e events) Len() int      { return len(e) }
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].number < e[j].number
}
func (e *events) Push(x any) { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}
