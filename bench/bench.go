package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/schollz/progressbar/v3"
)

// A bench is one run of everything.
type bench struct {
	events   int
	seconds  time.Duration
	tries    int
	dir      string
	works    []work
	names    []string  // of the peers measured
	progress io.Writer // told how far the run has come; nil for nobody
	// start runs a job and returns how many processors other programs kept busy meanwhile
	start func(job) (results []result, others float64, err error)

	rounds  []round
	answers map[string]string // the first of each question
	missing map[string]bool   // peers that are not installed
	failed  []failure
	wrong   int // answers that were not those of the first store
	others  []float64
	took    time.Duration
	base    string // the directory of the stores
}

// A round has every figure once.
type round struct {
	values map[string]map[string]float64 // peer -> metric -> value; the limits are under limitsName
}

// A failure is why there is no figure.
type failure struct{ peer, what, why string }

func (b *bench) run(rounds int) (err error) {
	start := time.Now()
	b.answers, b.missing = map[string]string{}, map[string]bool{}
	if b.base, err = os.MkdirTemp(b.dir, "eventfold-bench"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.base)) }()
	if err := os.Chmod(b.base, 0o755); err != nil { // the PostgreSQL server runs as another user
		return err
	}
	bar := progressbar.NewOptions(rounds*len(b.works)*len(b.names),
		progressbar.OptionSetWriter(cmp.Or[io.Writer](b.progress, io.Discard)),
		progressbar.OptionSetDescription("measuring"), progressbar.OptionShowCount())
	for n := range rounds {
		b.rounds = append(b.rounds, round{values: map[string]map[string]float64{}})
		for _, w := range b.works {
			names := b.names
			if w.name == limitsName {
				names = []string{limitsName}
			}
			for i, name := range names {
				bar.Describe(w.name + ", " + name)
				if w.every || n == 0 {
					if err := b.measure(w, name, i); err != nil {
						return err
					}
				}
				bar.Add(len(b.names) / len(names))
			}
		}
	}
	b.took = time.Since(start)
	return bar.Finish()
}

// measure does one work on one peer. What fails there is noted; an error is about the bench.
func (b *bench) measure(w work, name string, number int) error {
	if b.missing[name] {
		return nil
	}
	if needsSet := w.on == onSet || w.on == onCopy; needsSet && !b.hasSet(name) {
		return nil
	}
	dir, err := b.prepare(w, number)
	if err != nil {
		return err
	}
	j := job{Peer: name, Work: w.name, Dir: dir, Events: b.events, Each: b.seconds, Tries: b.tries}
	figures := map[string][]float64{}
	for j.N = range max(w.tries*b.tries, 1) {
		results, others, err := b.start(j)
		if err != nil {
			b.fail(name, w.name, err.Error())
			break
		}
		b.others = append(b.others, others)
		b.note(j, results, figures)
	}
	values := b.rounds[len(b.rounds)-1].values
	if values[name] == nil {
		values[name] = map[string]float64{}
	}
	for metric, list := range figures {
		values[name][metric] = median(list)
	}
	if w.on == onNothing || w.on == onCopy {
		return os.RemoveAll(dir)
	}
	return nil
}

// hasSet reports whether the peer has its data set.
func (b *bench) hasSet(name string) bool {
	_, ok := b.rounds[0].values[name]["loaded"]
	return ok
}

// prepare makes the directory of a work on a peer.
func (b *bench) prepare(w work, number int) (dir string, err error) {
	set, other := filepath.Join(b.base, fmt.Sprint("set-", number)), filepath.Join(b.base, "work")
	switch w.on {
	case onSet:
		return set, nil
	case makesSet:
		return set, os.MkdirAll(set, 0o755)
	case onCopy:
		return other, os.CopyFS(other, os.DirFS(set))
	default:
		return other, os.MkdirAll(other, 0o755)
	}
}

// note takes the results of a job: figures, and what there is instead.
func (b *bench) note(j job, results []result, figures map[string][]float64) {
	for _, one := range results {
		switch {
		case one.Metric == missingMetric:
			b.missing[j.Peer] = true
			b.fail(j.Peer, "everything", one.Failed)
		case one.Failed != "":
			b.fail(j.Peer, one.Metric, one.Failed)
		case !b.agrees(j, one):
			b.wrong++
		default:
			figures[one.Metric] = append(figures[one.Metric], one.Value)
		}
	}
}

// fail notes once that there is no figure.
func (b *bench) fail(peer, what, why string) {
	if one := (failure{peer, what, why}); !slices.Contains(b.failed, one) {
		b.failed = append(b.failed, one)
	}
}

// agrees refuses an answer that is not what the first store has answered: a wrong answer is never
// fast.
func (b *bench) agrees(j job, one result) bool {
	if one.Answer == "" {
		return true
	}
	question := fmt.Sprint(one.Metric, " ", j.N)
	first, ok := b.answers[question]
	if !ok {
		b.answers[question] = one.Answer
		return true
	}
	if first != one.Answer {
		b.fail(j.Peer, one.Metric, fmt.Sprintf("WRONG: it answers %q, the first store %q", one.Answer, first))
	}
	return first == one.Answer
}
