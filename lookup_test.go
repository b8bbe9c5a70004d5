package eventfold

import (
	"context"
	"database/sql/driver"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/shred"
)

// connecting calls Connect in a goroutine, which sends what came of it.
func connecting(ctx context.Context, c driver.Connector) <-chan error {
	done := make(chan error, 1)
	go func() { // ends with Connect
		conn, err := c.Connect(ctx)
		if err == nil {
			err = conn.Close()
		}
		done <- err
	}()
	return done
}

// A hungDisk answers when it is told to. It tells when it is asked.
type hungDisk struct{ asked, answer chan struct{} }

func newHungDisk() hungDisk {
	return hungDisk{asked: make(chan struct{}, 9), answer: make(chan struct{})}
}

func (d hungDisk) wait() {
	d.asked <- struct{}{}
	<-d.answer
}

// connector returns a Connector of a store in memory, which looks for it on the disk.
func (d hungDisk) connector(fault error) *Connector {
	c := NewConnector(Config{Mode: Memory})
	c.lease.find = func(config Config) (*openStore, bool, error) {
		d.wait()
		if fault != nil {
			return nil, false, fault
		}
		return lookupStore(config)
	}
	return c
}

// TestConnectWaitsForNoDiskLongerThanItsContext, also if it is the first one, or one of several.
func TestConnectWaitsForNoDiskLongerThanItsContext(t *testing.T) {
	for _, fault := range []error{nil, errors.New("no disk")} {
		disk := newHungDisk()
		c := disk.connector(fault)
		ctx, cancel := context.WithCancel(t.Context())
		first := connecting(ctx, c)
		<-disk.asked
		second, patient := connecting(ctx, c), connecting(t.Context(), c)
		cancel()
		assert.ErrorIs(t, <-first, context.Canceled)
		assert.ErrorIs(t, <-second, context.Canceled)
		close(disk.answer)
		assert.ErrorIs(t, <-patient, fault)
		assert.ErrorIs(t, <-connecting(t.Context(), c), fault)
		require.NoError(t, c.Close())
	}
}

// TestAStoreThatIsFoundTooLateIsNotKeptOpen: its Connector was closed, for which nobody waited.
func TestAStoreThatIsFoundTooLateIsNotKeptOpen(t *testing.T) {
	disk := newHungDisk()
	c := disk.connector(nil)
	found := make(chan *openStore, 1)
	find := c.lease.find
	c.lease.find = func(config Config) (*openStore, bool, error) {
		s, closing, err := find(config)
		found <- s
		return s, closing, err
	}
	waiting := connecting(t.Context(), c)
	<-disk.asked
	require.NoError(t, c.Close())
	close(disk.answer)
	assert.ErrorIs(t, <-waiting, engine.ErrClosed)
	<-(<-found).closed
	assert.ErrorIs(t, <-connecting(t.Context(), c), engine.ErrClosed)
}

// A hungKeyring does not find out where it is.
type hungKeyring struct {
	shred.Keyring
	disk hungDisk
}

func (k hungKeyring) Apart(string) error {
	k.disk.wait()
	return nil
}

// TestConnectWaitsForNoKeyringLongerThanItsContext, and the store stays open for those who wait.
func TestConnectWaitsForNoKeyringLongerThanItsContext(t *testing.T) {
	disk := newHungDisk()
	c := NewConnector(Config{Path: t.TempDir(), Keyring: hungKeyring{disk: disk}})
	ctx, cancel := context.WithCancel(t.Context())
	waiting := connecting(ctx, c)
	<-disk.asked
	patient := connecting(t.Context(), c)
	cancel()
	assert.ErrorIs(t, <-waiting, context.Canceled)
	close(disk.answer)
	assert.NoError(t, <-patient)
	assert.NoError(t, c.Close())
}

// TestAllWhoConnectToAHungDiskWaitForOneCheck: each that has given up would leave a goroutine and a
// reference to the store behind.
func TestAllWhoConnectToAHungDiskWaitForOneCheck(t *testing.T) {
	disk := newHungDisk()
	c := NewConnector(Config{Path: t.TempDir(), Keyring: hungKeyring{disk: disk}})
	waiting := connecting(t.Context(), c)
	<-disk.asked
	s, _, err := c.lease.begin(t.Context())
	require.NoError(t, err)
	refs := s.refs.Load()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 5 {
		assert.ErrorIs(t, c.lease.check(gone, s), context.Canceled)
		assert.Equal(t, refs, s.refs.Load(), "references to the store")
	}
	close(disk.answer)
	assert.NoError(t, <-waiting)
	assert.NoError(t, s.release())
	assert.NoError(t, c.Close())
}
