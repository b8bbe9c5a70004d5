package integration

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/engine/vfs"
)

// A gatedFS lets nothing become durable while its gate is closed: appends that come meanwhile wait
// for one another, and then share a group.
type gatedFS struct {
	vfs.FS
	gate    sync.RWMutex // held for writing while the gate is closed
	arrived atomic.Int64 // syncs that have come to the gate
}

type gatedFile struct {
	vfs.File
	fs *gatedFS
}

func (f *gatedFS) Open(name string, flag int) (vfs.File, error) {
	file, err := f.FS.Open(name, flag)
	if err != nil {
		return nil, err
	}
	return &gatedFile{file, f}, nil
}

func (f *gatedFile) Fdatasync() error {
	f.fs.arrived.Add(1)
	f.fs.gate.RLock()
	defer f.fs.gate.RUnlock()
	return f.File.Fdatasync()
}

// TestConditionsInOneGroup: appends that are committed together see each other's events, with the
// real predicate. Of four that want the same name one gets it, and the others are told by whom; no
// name stands in the way of another.
func TestConditionsInOneGroup(t *testing.T) {
	predicates := []string{
		"payload->>'$.name' = ?",
		"type = 'Claimed' AND payload->>'$.name' IN ('nobody', ?)",
		"type LIKE 'claim%' AND upper(payload ->> 'name') = upper(?)",
		"HAS(tags, ?)",
		"NOT (payload->>'$.name' <> ?) AND version >= 0",
	}
	for _, predicate := range predicates {
		t.Run(predicate, func(t *testing.T) { claimTogether(t, predicate) })
	}
}

const (
	claimants = 16
	names     = 4
)

// A claim is what one writer came to.
type claim struct {
	name     string
	position int64
	err      error
}

func claimTogether(t *testing.T, predicate string) {
	disk := &gatedFS{FS: vfs.NewMem()}
	store, err := filestore.Open("store", filestore.Options{FS: disk})
	require.NoError(t, err)
	db := eventfold.OpenDB(eventfold.Config{Store: store})
	db.SetMaxOpenConns(claimants + 1)
	defer func() {
		assert.NoError(t, db.Close())
		assert.NoError(t, store.Close())
	}()
	_, err = db.Exec(`INSERT INTO before (type, payload) VALUES ('Claimed', '{"name": "somebody else"}')`)
	require.NoError(t, err)

	claims := make([]claim, claimants)
	var wg sync.WaitGroup
	try := func(c *claim, text string, args ...any) {
		wg.Go(func() {
			result, err := db.Exec(text, args...)
			if c.err = err; err == nil {
				c.position, c.err = result.LastInsertId()
			}
		})
	}
	groups := store.Stats().Groups
	disk.gate.Lock()
	arrived := disk.arrived.Load()
	var first claim
	try(&first, `INSERT INTO before (type) VALUES ('Holds the gate')`)
	require.Eventually(t, func() bool {
		return disk.arrived.Load() > arrived && store.Stats().QueueLength == 0
	}, time.Minute, time.Millisecond)
	for w := range claims {
		c := &claims[w]
		c.name = fmt.Sprintf("name-%d", w%names)
		try(c, `INSERT INTO $all (stream, type, payload, tags) VALUES (?, 'Claimed', ?, ?) EXPECTING NO EVENT FROM `+
			`$all WHERE `+predicate,
			fmt.Sprintf("claim-%d", w), eventfold.JSON(map[string]string{"name": c.name}), []string{c.name}, c.name)
	}
	require.Eventually(t, func() bool {
		return store.Stats().QueueLength == claimants
	}, time.Minute, time.Millisecond)
	disk.gate.Unlock()
	wg.Wait()
	require.NoError(t, first.err)
	assert.EqualValues(t, 2, store.Stats().Groups-groups, "all claims are in one group")
	checkClaims(t, claims)
}

// checkClaims holds that each name was given once, and that whoever did not get it was told who
// did.
func checkClaims(t *testing.T, claims []claim) {
	winners := map[string]int64{}
	for _, c := range claims {
		if c.err == nil {
			assert.NotContains(t, winners, c.name)
			winners[c.name] = c.position
		}
	}
	require.Len(t, winners, names)
	for _, c := range claims {
		if c.err == nil {
			continue
		}
		require.ErrorIs(t, c.err, eventfold.ErrConditionFailed)
		var conflict *eventfold.ConflictError
		require.True(t, errors.As(c.err, &conflict))
		require.Len(t, conflict.Checks, 1)
		require.Len(t, conflict.Checks[0].Conflicts, 1)
		assert.EqualValues(t, winners[c.name], conflict.Checks[0].Conflicts[0].Position)
	}
}
