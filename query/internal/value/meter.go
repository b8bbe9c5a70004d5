package value

import "math"

const (
	// EffortStep is how many bytes are looked at before the owner of a meter is asked whether that is
	// still wanted.
	EffortStep = 64 << 10

	// TermEffort is what one of very many terms counts for.
	TermEffort = 16

	// SmallPiece is how many bytes of a text may be taken from another, or made, without being
	// counted.
	SmallPiece = 1 << 10

	// MaxText is how long a text may be at most, in bytes, whatever its owner's limit.
	MaxText = 1 << 30
)

// A MeterOwner knows what a Meter does not: whether somebody waits for the result, and how much
// memory there is. It remembers why it has said no.
type MeterOwner interface {
	// Wanted reports whether somebody waits for the result.
	Wanted() bool
	// TextLimit is how long a text may become, in bytes.
	TextLimit() int
	// TooLong tells that a text would become longer than that.
	TooLong()
	// Hold accounts for n bytes of texts that are made; false if they may not be.
	Hold(n int) bool
	// Discard tells that n bytes are no longer used.
	Discard(n int64)
}

// A Meter counts what evaluating an expression costs: the bytes that are looked at, and those of
// the texts that are made. What works on long texts is given one, tells it beforehand of each piece
// of work, and gives up, with any result, where it says no.
//
// It counts for one evaluation after the other. One goroutine uses it. The zero Meter has no
// owner: everything is wanted.
type Meter struct {
	owner MeterOwner
	work  int // bytes that were looked at since the owner was asked
}

// MeterOf returns the meter of an owner.
func MeterOf(o MeterOwner) Meter { return Meter{owner: o} }

// Effort tells that n bytes are about to be looked at. It is false if nobody waits for the result
// any more: then whatever is returned does not matter.
func (m *Meter) Effort(n int) bool {
	m.work += n
	return m.work < EffortStep || m.ask()
}

// ask asks the owner. After a no the count is left as it is: whoever asks again gets the same
// answer. It is seldom called, and stays out of Effort, which is in every loop and so must be small
// enough for that.
//
//go:noinline
func (m *Meter) ask() bool {
	if m.owner != nil && !m.owner.Wanted() {
		return false
	}
	m.work = 0
	return true
}

// AskAfter makes the meter ask its owner when n bytes more have been looked at, and at once for 0.
func (m *Meter) AskAfter(n int) { m.work = EffortStep - n }

// TextLimit is how long a text may become, in bytes.
func (m *Meter) TextLimit() int {
	if m.owner == nil {
		return MaxText
	}
	return m.owner.TextLimit()
}

// TooLong tells that a text would become longer than TextLimit.
func (m *Meter) TooLong() {
	if m.owner != nil {
		m.owner.TooLong()
	}
}

// Room asks for a text of n bytes that is about to be made. If it is false, there is no value to
// return.
func (m *Meter) Room(n int) bool {
	if n > m.TextLimit() {
		m.TooLong()
		return false
	}
	return (m.owner == nil || m.owner.Hold(n)) && m.Effort(min(n, math.MaxInt32))
}

// Discard tells that n bytes of texts are no longer used.
func (m *Meter) Discard(n int64) {
	if m.owner != nil {
		m.owner.Discard(n)
	}
}
