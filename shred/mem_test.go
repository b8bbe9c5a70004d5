package shred

import (
	"context"
	"sync"
	"time"
)

// A memKeyring is the smallest keyring: the contract, in memory.
type memKeyring struct {
	mu   sync.Mutex // protects kept
	kept map[string]Key
	gone map[string]bool // the last fence is that of the last revision
}

func newMemKeyring() *memKeyring {
	return &memKeyring{kept: map[string]Key{}, gone: map[string]bool{}}
}

func (m *memKeyring) Key(_ context.Context, subject string, create bool) (Key, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.kept[subject]
	switch {
	case m.gone[subject]:
		n := len(k.Fences) - 1
		return Key{}, &ForgottenError{Fence: k.Fences[n], Earlier: k.Fences[:n]}
	case !ok && !create:
		return Key{}, &NoKeyError{Subject: subject}
	case !ok:
		k = Key{Subject: subject, Revision: 1, Secret: newSecret()}
		m.kept[subject] = k
	}
	return k, nil
}

func (m *memKeyring) Erase(_ context.Context, subject, reason string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.kept[subject]
	if !ok {
		return false, &NoKeyError{Subject: subject}
	}
	if m.gone[subject] {
		return false, nil
	}
	k.Fences = append(k.Fences, Fence{subject, k.Revision, fingerprint(k.Secret), time.Now(), reason})
	k.Secret = [keySize]byte{}
	m.kept[subject], m.gone[subject] = k, true
	return true, nil
}

func (m *memKeyring) Allow(_ context.Context, subject string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.kept[subject]
	if !ok {
		return &NoKeyError{Subject: subject}
	}
	if m.gone[subject] {
		k.Revision++
		k.Secret = newSecret()
		m.kept[subject], m.gone[subject] = k, false
	}
	return nil
}

// testContext is for calls in functions that are not given one.
var testContext = context.Background()
