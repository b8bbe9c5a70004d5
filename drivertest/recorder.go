package drivertest

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// A recorder notes what a check says instead of failing. Whatever else a check asks of it is the
// test's own.
type recorder struct {
	testing.TB

	mu   sync.Mutex // protects said
	said []string
}

func (r *recorder) note(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, text)
}

func (r *recorder) complaints() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.said)
}

func (r *recorder) Helper()                           {}
func (r *recorder) Error(args ...any)                 { r.note(fmt.Sprint(args...)) }
func (r *recorder) Errorf(format string, args ...any) { r.note(fmt.Sprintf(format, args...)) }
func (r *recorder) Fail()                             { r.note("failed") }
func (r *recorder) Failed() bool                      { return len(r.complaints()) > 0 }

func (r *recorder) Fatal(args ...any) {
	r.Error(args...)
	runtime.Goexit()
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) FailNow() {
	r.Fail()
	runtime.Goexit()
}

func (r *recorder) Skip(args ...any) { r.Fatal(append([]any{"skipped: "}, args...)...) }

func (r *recorder) Skipf(format string, args ...any) { r.Fatalf("skipped: "+format, args...) }

func (r *recorder) SkipNow() { r.Fatal("skipped") }
