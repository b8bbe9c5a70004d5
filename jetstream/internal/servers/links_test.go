package servers

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// Who waits because two servers are parted looks again when others are.
func TestWhoIsPartedNoMoreGoesOnWhenOthersAre(t *testing.T) {
	l := newLinks()
	defer l.Close()
	l.Part(&Server{Name: "a"})
	waits := l.healed
	l.Part(&Server{Name: "b"})
	select {
	case <-waits:
	default:
		assert.Fail(t, "those who wait for the first Heal wait for ever")
	}
	l.wait("a", "c") // returns at once
}
