package vfs

import (
	"os"
	"testing"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/stretchr/testify/assert"
)

func TestLockHolder(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	host, err := os.Hostname()
	assert.NoError(t, err)
	assert.Equal(t, &engine.LockedError{PID: os.Getpid(), Host: host, Since: now}, ParseLockHolder(LockHolder(now)))
	for _, text := range []string{"", "x", "1 host", "-1 host 2026-01-02T03:04:05Z", "1 host today",
		"1 host 2026-01-02T03:04:05Z more"} {
		assert.Equal(t, &engine.LockedError{}, ParseLockHolder(text), text)
	}
}
