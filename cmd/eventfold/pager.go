package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// A pager shows what is longer than the terminal in another program: the one that PAGER names, or
// less. What fits is written as it is. Who leaves the program has seen enough.
type pager struct {
	console *console
	command string
	height  int
	held    bytes.Buffer // until it is known whether it fits
	lines   int
	child   *exec.Cmd // nil until it is started
	pipe    io.WriteCloser
	gave    error // the end of an attempt to start it; then everything is written as it is
}

// newPager returns a pager, or nil if results do not go to a terminal or PAGER says that there is
// none.
func newPager(c *console) *pager {
	_, height := c.size()
	command, set := os.LookupEnv("PAGER")
	if !set {
		command = "less"
	}
	if height == 0 || command == "" || command == "cat" || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return &pager{console: c, command: command, height: height}
}

func (p *pager) started() bool { return p.child != nil || p.held.Len() > 0 }

// Write keeps the first screen, and gives everything to the program when there is more.
func (p *pager) Write(b []byte) (int, error) {
	if p.child != nil {
		return p.given(b)
	}
	if p.gave != nil {
		return p.console.out.Write(b)
	}
	p.held.Write(b)
	if p.lines += bytes.Count(b, []byte("\n")); p.lines < p.height {
		return len(b), nil
	}
	to := p.start()
	_, err := p.held.WriteTo(to)
	return len(b), err
}

// given writes to the program.
func (p *pager) given(b []byte) (int, error) {
	n, err := p.pipe.Write(b)
	if err != nil {
		p.console.out.gone = true // whatever the reason, it does not read
	}
	return n, err
}

// start starts the program, and returns where to write.
func (p *pager) start() io.Writer {
	child := exec.Command("sh", "-c", p.command)
	if runtime.GOOS == "windows" {
		words := strings.Fields(p.command)
		child = exec.Command(words[0], words[1:]...)
	}
	child.Stdout, child.Stderr = p.console.out.w, os.Stderr
	child.Env = os.Environ()
	if _, set := os.LookupEnv("LESS"); !set {
		child.Env = append(child.Env, "LESS=FRSX")
	}
	pipe, err := child.StdinPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		p.gave = err
		return p.console.out
	}
	p.child, p.pipe = child, pipe
	return writerFunc(p.given)
}

// close writes what is held, or waits until the program is left.
func (p *pager) close() error {
	if p.child == nil {
		_, err := p.held.WriteTo(p.console.out)
		return err
	}
	_ = p.pipe.Close()
	_ = p.child.Wait() // how it ends is its own matter
	return nil
}

// A writerFunc is a writer.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
