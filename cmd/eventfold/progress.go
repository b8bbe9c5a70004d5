package main

import (
	"fmt"
	"io"
	"iter"
	"os"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
)

// A progress tells on a terminal how far something is that takes longer than a second: how much of
// how much, how fast, and how long it will take. Where messages do not go to a terminal it is silent.
// It may be told from any goroutine.
type progress struct {
	what, unit  string
	done, of    atomic.Int64 // of is 0 if nobody knows
	read, input atomic.Int64 // bytes of the input, which tell the share where of is 0; input is 0 if nobody knows
	before      atomic.Int64 // of done: what had been done when it began
	began       time.Time
	screen      io.Writer     // nil if nothing is to be shown
	stop        chan struct{} // closed by end
	stopped     chan struct{} // closed when show has returned
	shown       atomic.Bool   // the line is on the screen
}

// When a progress is shown, and how often.
const (
	progressDelay = time.Second
	progressEvery = 200 * time.Millisecond
)

// unitBytes is the unit of what is told in MiB.
const unitBytes = "bytes"

// newProgress begins to tell of something: what is done, such as "verify", the unit of its numbers,
// such as "events" or unitBytes, and how many there are, 0 if nobody knows. Whoever calls it calls
// end.
func newProgress(c *cli.Command, what, unit string, of int64) *progress {
	p := &progress{what: what, unit: unit, began: time.Now()}
	p.of.Store(of)
	errOut := consoleOf(c).errOut
	if !isTerminal(errOut) {
		return p
	}
	p.screen = errOut
	p.stop, p.stopped = make(chan struct{}), make(chan struct{})
	go p.show(progressDelay) // ended by end, which waits for it
	return p
}

// add tells that so many more are done.
func (p *progress) add(n int64) {
	p.done.Add(n)
	p.moved()
}

// set tells how many are done.
func (p *progress) set(n int64) {
	p.done.Store(n)
	p.moved()
}

// goOn tells how many had been done before, which says nothing about how fast it goes.
func (p *progress) goOn(n int64) {
	p.before.Store(n)
	p.done.Store(n)
}

// moved tells who has asked for that that something was done.
func (p *progress) moved() {
	if atProgress != nil {
		atProgress(p)
	}
}

// atProgress, if it is not nil, is called with a progress whenever it goes on. Tests have the process
// end there, or look at it.
var atProgress func(p *progress)

// each tells of events as they are taken.
func (p *progress) each(events iter.Seq2[eventfold.Event, error]) iter.Seq2[eventfold.Event, error] {
	return func(yield func(eventfold.Event, error) bool) {
		n := int64(0)
		for e, err := range events {
			if !yield(e, err) {
				return
			}
			n++
			p.set(n)
		}
	}
}

// total tells how many there are, when that becomes known.
func (p *progress) total(n int64) { p.of.Store(n) }

// reading returns in, and tells how much of it is read if it is a file whose size is known.
func (p *progress) reading(in io.Reader) io.Reader {
	f, ok := in.(*os.File)
	if !ok {
		return in
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return in
	}
	at, err := f.Seek(0, io.SeekCurrent) // whoever has opened it may have read some
	if err != nil {
		return in
	}
	p.input.Store(max(info.Size()-at, 0))
	return &measured{in, p}
}

// A measured input tells a progress how much of it was read.
type measured struct {
	io.Reader
	progress *progress
}

func (m *measured) Read(b []byte) (int, error) {
	n, err := m.Reader.Read(b)
	m.progress.read.Add(int64(n))
	return n, err
}

// follow tells what a store tells of itself.
func (p *progress) follow(at engine.Progress) {
	p.total(at.Total)
	p.set(at.Done)
}

// followInput is follow where the numbers are of something else than bytes: what a store tells gives
// the share until their total is known.
func (p *progress) followInput(at engine.Progress) {
	p.input.Store(at.Total)
	p.read.Store(at.Done)
	p.moved()
}

// end takes the line from the screen. It may be called twice.
func (p *progress) end() {
	if p.screen == nil {
		return
	}
	close(p.stop)
	<-p.stopped
	p.screen = nil
}

// show writes the line again and again.
func (p *progress) show(after time.Duration) {
	defer close(p.stopped)
	for wait := after; ; wait = progressEvery {
		select {
		case <-time.After(wait):
			width, _ := terminalSize(p.screen)
			fmt.Fprint(p.screen, "\r\x1b[K"+shorten(p.line(time.Since(p.began)), max(width-1, 20)))
			p.shown.Store(true)
		case <-p.stop:
			if p.shown.Load() {
				fmt.Fprint(p.screen, "\r\x1b[K")
			}
			return
		}
	}
}

// line is what is shown after a time.
func (p *progress) line(after time.Duration) string {
	done, of := p.done.Load(), p.of.Load()
	part, whole := done, of
	if of <= 0 {
		part, whole = p.read.Load(), p.input.Load()
	}
	text := p.what
	part = min(part, whole)
	if part > 0 {
		text += fmt.Sprintf("  %d%%", part*100/whole)
	}
	switch {
	case done == 0:
	case of > 0:
		text += fmt.Sprintf("  %s of %s", p.number(min(done, of)), p.amount(of))
	default:
		text += "  " + p.amount(done)
	}
	before := p.before.Load()
	if rate := int64(float64(done-before) / max(after.Seconds(), 1e-3)); rate > 0 {
		text += "  " + p.amount(rate) + "/s"
	}
	if part > before {
		left := time.Duration(float64(after) / float64(part-before) * float64(whole-part))
		return text + "  " + shortDuration(left) + " left"
	}
	return text + "  " + shortDuration(after)
}

// amount is a number with its unit.
func (p *progress) amount(n int64) string {
	if p.unit == unitBytes {
		return byteSize(n)
	}
	return p.number(n) + " " + p.unit
}

// number is a number without its unit, where that follows.
func (p *progress) number(n int64) string {
	if p.unit == unitBytes {
		return byteSize(n)
	}
	return grouped(n)
}

// shortDuration is a time in whole seconds, minutes or hours: 8 s, 2 min 5 s, 3 h 12 min.
func shortDuration(d time.Duration) string {
	s := int64((d + time.Second/2) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	}
	return fmt.Sprintf("%d h %d min", s/3600, s/60%60)
}

// byteSize is a number of bytes: 17 B, 1.5 KiB, 12.0 GiB.
func byteSize(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	size, unit := float64(n), 0
	for size >= 1024 && unit < 5 {
		size, unit = size/1024, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", size, " KMGTP"[unit])
}

// grouped is a number with a comma in front of every three digits.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// plural is a number and what it counts.
func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return grouped(n) + " " + what + "s"
}
