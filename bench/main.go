// Bench measures eventfold beside the stores that a Go programmer could pick instead, all on one
// workload and in one run.
//
//	go run -C bench . [-rounds 3] [-events 1000000] [-peers eventfold,SQLite] [-only append,first] [-out ../docs]
//
// Every measurement runs in a process of its own; within a round the processes take turns; the
// report has medians over the rounds and ratios within a round. It is printed as Markdown, sorted by
// what a user asks, with the targets that are reached and missed. With -out it takes the place of
// the figures in performance.md of that directory, where its charts go, too.
//
//	go run -C bench . -rounds 1 -events 20000 -seconds 200ms
//
// tries all of it in about two minutes; the figures of so few events say little.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"slices"
	"strings"
	"time"
)

func main() {
	if isChild() {
		return
	}
	b := bench{start: job.runInChild, progress: os.Stderr}
	rounds := flag.Int("rounds", 3, "how many `rounds` to measure")
	flag.IntVar(&b.events, "events", 1_000_000, "how many `events` the data set has, a multiple of 2,000")
	flag.DurationVar(&b.seconds, "seconds", 2*time.Second, "how long each timed workload runs")
	flag.IntVar(&b.tries, "tries", 5, "how often a round `tries` what is short and starts from scratch")
	only := flag.String("only", "", "do only the work whose name contains one of these, separated by commas: "+
		strings.Join(workNames(), "; "))
	names := flag.String("peers", "", "measure only the peers whose names contain one of these, separated by commas")
	flag.StringVar(&b.dir, "dir", os.TempDir(), "the `directory` for the stores, on the disk that is to be measured")
	out := flag.String("out", "", "the `directory` whose performance.md takes the figures")
	flag.Parse()
	b.events = wholeSet(b.events)
	b.works, b.names = selectedWorks(*only), selectedPeers(*names)
	if err := b.run(*rounds); err != nil {
		log.Fatal(err)
	}
	fmt.Print(b.markdown())
	if *out != "" {
		if err := b.writeTo(*out); err != nil {
			log.Fatal(err)
		}
	}
	if b.wrong > 0 {
		log.Fatalf("%d answers were not those of the first store: see above", b.wrong)
	}
}

func workNames() (names []string) {
	for _, w := range works {
		names = append(names, w.name)
	}
	return names
}

// contains reports whether the name contains one of the parts, which are separated by commas.
func contains(name, parts string) bool {
	return slices.ContainsFunc(strings.Split(parts, ","), func(part string) bool {
		return strings.Contains(name, strings.TrimSpace(part))
	})
}

func selectedPeers(only string) (names []string) {
	for _, p := range peers {
		if contains(p.name, only) {
			names = append(names, p.name)
		}
	}
	return names
}

// selectedWorks also selects loading the data set if what is selected reads it.
func selectedWorks(only string) (some []work) {
	needed := func(w work) bool { return w.on == onSet || w.on == onCopy }
	for _, w := range works {
		if contains(w.name, only) {
			some = append(some, w)
		}
	}
	loads := func(w work) bool { return w.on == makesSet }
	if slices.ContainsFunc(some, needed) && !slices.ContainsFunc(some, loads) {
		some = slices.Insert(some, 0, *workNamed(loadWork))
	}
	return some
}
