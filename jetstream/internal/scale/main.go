// Scale simulates buckets that are spread over servers, and tells how many appends they take together
// in a second. One log has one order and one leader, so that servers beyond its three replicas do nothing
// for it: what grows with them is the number of logs.
//
//	go run ./internal/scale -sync 1ms -rtt 200us -batch 100us -event 20us -clients 64
//
// Each bucket has three replicas and is led by one of them. Its clients append one event after the other.
// A bucket publishes what waits as one batch, one batch at a time; each of its servers works on the batch
// and syncs it, and it is acknowledged when two of the three have. A server has one processor and one disk,
// which do one thing at a time for all of its buckets. The durations are assumptions: take your own.
package main

import (
	"flag"
	"fmt"
	"time"
)

func main() {
	m := model{}
	flag.DurationVar(&m.sync, "sync", time.Millisecond, "how long a disk takes to sync")
	flag.DurationVar(&m.rtt, "rtt", 200*time.Microsecond, "from one server to another one and back")
	flag.DurationVar(&m.batch, "batch", 100*time.Microsecond, "of a server's processor for each batch")
	flag.DurationVar(&m.event, "event", 20*time.Microsecond, "of a server's processor for each event")
	flag.IntVar(&m.clients, "clients", 64, "clients of each bucket")
	flag.Parse()
	fmt.Println("servers | buckets | appends /s | of one bucket | mean time of an append")
	for _, servers := range []int{3, 6, 12} {
		for _, buckets := range []int{1, 3, 6, 12, 24} {
			m.servers, m.buckets = servers, buckets
			r := m.run(10 * time.Second)
			fmt.Printf("%d | %d | %.0f | %.0f | %v\n", servers, buckets, r.rate, r.rate/float64(buckets),
				r.mean.Round(10*time.Microsecond))
		}
	}
}
