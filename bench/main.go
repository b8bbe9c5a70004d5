// Bench measures eventfold beside the stores that a Go programmer could pick instead, all on one
// workload and in one run.
//
//	go run -C bench . [-rounds 3] [-events 1000000] [-peers eventfold,SQLite] [-out ../docs]
//
// Every measurement runs in a process of its own; within a round the processes take turns; the
// report has medians over the rounds and ratios within a round. It writes performance-table.md and
// the charts into the output directory.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
)

func main() {
	rounds := flag.Int("rounds", 3, "how many `rounds` to measure")
	events := flag.Int("events", 1_000_000, "how many `events` the data set for reading has")
	seconds := flag.Duration("seconds", 2*time.Second, "how long each timed workload runs")
	only := flag.String("peers", "", "measure only the peers whose names contain one of these, separated by commas")
	dir := flag.String("dir", os.TempDir(), "the `directory` for the stores, on the disk that is to be measured")
	out := flag.String("out", "../docs", "the `directory` for the report")
	child := flag.String("child", "", "measure this job, for the parent process")
	flag.Parse()
	if *child != "" {
		if err := runChild(*child); err != nil {
			log.Fatal(err)
		}
		return
	}
	b := bench{events: *events, seconds: *seconds, dir: *dir}
	if err := b.run(*rounds, selected(*only)); err != nil {
		log.Fatal(err)
	}
	if err := b.report(*out); err != nil {
		log.Fatal(err)
	}
}

func selected(only string) (names []string) {
	for _, p := range peers {
		for _, part := range strings.Split(only, ",") {
			if strings.Contains(p.name, part) {
				names = append(names, p.name)
				break
			}
		}
	}
	return names
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

// A bench is one run of everything.
type bench struct {
	events  int
	seconds time.Duration
	dir     string
	names   []string // of the peers measured
	rounds  []round
	answers map[string]result // the first of each report
	failed  []string          // reports without a figure, and why
}

// A round has every figure once.
type round struct {
	values map[string]map[string]float64 // peer -> metric -> value; the limits are under "limits"
	others map[string]float64            // peer -> processors that other processes kept busy meanwhile
}

func (b *bench) run(rounds int, names []string) error {
	b.names = names
	base, err := os.MkdirTemp(b.dir, "eventfold-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(base)
	if err := os.Chmod(base, 0o755); err != nil { // the PostgreSQL server runs as another user
		return err
	}
	bar := progressbar.NewOptions(rounds*(1+2*len(names))+len(names), progressbar.OptionSetWriter(os.Stderr),
		progressbar.OptionSetDescription("measuring"), progressbar.OptionShowCount())
	loaded := map[string]map[string]float64{}
	for n := range rounds {
		r := round{values: map[string]map[string]float64{}, others: map[string]float64{}}
		if err := b.measure(&r, job{Work: "limits"}, filepath.Join(base, fmt.Sprint("limits-", n))); err != nil {
			return err
		}
		bar.Add(1)
		for i, name := range names {
			data := filepath.Join(base, fmt.Sprint("data-", i))
			if n == 0 {
				bar.Describe("load " + name)
				if err := b.measure(&r, job{Peer: name, Work: "load"}, data); err != nil {
					return err
				}
				loaded[name] = r.values[name]
				bar.Add(1)
			}
			bar.Describe("append " + name)
			appends := filepath.Join(base, fmt.Sprintf("append-%d-%d", n, i))
			if err := b.measure(&r, job{Peer: name, Work: "append"}, appends); err != nil {
				return err
			}
			if err := os.RemoveAll(appends); err != nil {
				return err
			}
			bar.Add(1)
			bar.Describe("read " + name)
			if loaded[name]["loaded"] > 0 {
				if err := b.measure(&r, job{Peer: name, Work: "read"}, data); err != nil {
					return err
				}
			}
			bar.Add(1)
		}
		b.rounds = append(b.rounds, r)
	}
	return bar.Finish()
}

// measure runs one job in a process of its own and puts its results into r.
func (b *bench) measure(r *round, j job, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	j.Dir, j.Events, j.Each = dir, b.events, b.seconds
	text, err := json.Marshal(j)
	if err != nil {
		return err
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(os.Args[0], "-child", string(text))
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start, busy := time.Now(), busyTicks()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", j.Peer, j.Work, err, stderr.String())
	}
	elapsed := time.Since(start).Seconds()
	own := (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	var results []result
	if err := json.Unmarshal(stdout.Bytes(), &results); err != nil {
		return fmt.Errorf("%s %s printed %q: %w", j.Peer, j.Work, stdout.String(), err)
	}
	name := j.Peer
	if j.Work == "limits" {
		name = "limits"
	}
	if r.values[name] == nil {
		r.values[name] = map[string]float64{}
	}
	for _, one := range results {
		if one.Failed != "" {
			b.failed = append(b.failed, fmt.Sprintf("%s, %s: %s", name, one.Metric, one.Failed))
			continue
		}
		if err := b.compare(name, one); err != nil {
			return err
		}
		r.values[name][one.Metric] = one.Value
	}
	r.others[name] = max(r.others[name], ((busyTicks()-busy)/100-own)/elapsed)
	return nil
}

// compare refuses a report's answer that is not what the first store has answered: a wrong answer is
// never fast.
func (b *bench) compare(name string, one result) error {
	if one.Answer == "" {
		return nil
	}
	if b.answers == nil {
		b.answers = map[string]result{}
	}
	first, ok := b.answers[one.Metric]
	if !ok {
		b.answers[one.Metric] = one
		return nil
	}
	if first.Answer != one.Answer {
		return fmt.Errorf("%s answers %q with %q, the first store with %q", name, one.Metric, one.Answer, first.Answer)
	}
	return nil
}
