package clock

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestHandStopsAtWhatWasNotUsed(t *testing.T) {
	var h Hand
	next := func() int { return h.Next(4, nil) }
	assert.Equal(t, []int{0, 1, 2, 3, 0}, []int{next(), next(), next(), next(), next()}, "nothing was used")
	h.Use(1)
	h.Use(2)
	assert.Equal(t, 3, next(), "two were used")
	assert.Equal(t, 0, next())
	assert.Equal(t, 1, next(), "not since the hand passed")
	for i := range 4 {
		h.Use(i)
	}
	assert.Equal(t, 2, next(), "all were used: the first that it passed")
}

func TestHandPassesWhatIsHeld(t *testing.T) {
	var h Hand
	held := map[int]bool{0: true, 2: true}
	isHeld := func(i int) bool { return held[i] }
	h.Use(2)
	assert.Equal(t, 1, h.Next(4, isHeld))
	assert.Equal(t, 3, h.Next(4, isHeld))
	held[1], held[3] = true, true
	assert.Equal(t, -1, h.Next(4, isHeld), "all are held")
	held[2] = false
	assert.Equal(t, 2, h.Next(4, isHeld), "used, and all others are held")
}

func TestHandGoesRoundSixteenPlaces(t *testing.T) {
	var h Hand
	for i := range 16 {
		h.Use(i)
	}
	for i := range 32 {
		assert.Equal(t, i%16, h.Next(16, nil))
	}
}
