package value

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// An impatient owner stops wanting after so many questions, and lets texts be so long.
type impatient struct {
	patience, limit int
	asked           int
	tooLong         bool
	held, discarded int
}

func (o *impatient) Wanted() bool    { o.asked++; return o.asked <= o.patience }
func (o *impatient) TextLimit() int  { return o.limit }
func (o *impatient) TooLong()        { o.tooLong = true }
func (o *impatient) Hold(n int) bool { o.held += n; return true }
func (o *impatient) Discard(n int64) { o.discarded += int(n) }

func TestAMeterAsksOnceAStep(t *testing.T) {
	o := &impatient{patience: 2}
	m := MeterOf(o)
	for range 3 * EffortStep / 1024 {
		m.Effort(1024)
	}
	assert.Equal(t, 3, o.asked)
	assert.False(t, m.Effort(0), "a no is said again to whoever asks again")
	assert.Equal(t, 4, o.asked)
}

func TestAMeterAsksWhenItIsTold(t *testing.T) {
	o := &impatient{patience: 9}
	m := MeterOf(o)
	m.AskAfter(10)
	assert.True(t, m.Effort(9))
	assert.Zero(t, o.asked)
	assert.True(t, m.Effort(1))
	assert.Equal(t, 1, o.asked)
	m.AskAfter(0)
	m.Effort(0)
	assert.Equal(t, 2, o.asked)
}

func TestRoomIsHeldAndBounded(t *testing.T) {
	o := &impatient{patience: 9, limit: 100}
	m := MeterOf(o)
	assert.True(t, m.Room(100))
	assert.Equal(t, 100, o.held)
	assert.False(t, o.tooLong)
	assert.False(t, m.Room(101))
	assert.True(t, o.tooLong)
	assert.Equal(t, 100, o.held)
	m.Discard(7)
	assert.Equal(t, 7, o.discarded)
}

func TestAMeterWithoutAnOwnerWantsEverything(t *testing.T) {
	m := new(Meter)
	assert.True(t, m.Effort(10*EffortStep))
	assert.True(t, m.Room(MaxText))
	assert.False(t, m.Room(MaxText+1))
	m.TooLong()
	m.Discard(1)
}
