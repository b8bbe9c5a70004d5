package query

import (
	"unsafe"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold/engine"
)

// What the notes of a serializable transaction take in memory.

// noted is what was added to notes: names, and about how many bytes they take.
type noted struct {
	names int
	bytes int64
}

func (n *noted) add(more noted) {
	n.names += more.names
	n.bytes += more.bytes
}

const (
	setSize     = int64(unsafe.Sizeof(readSet{}) + unsafe.Sizeof(watchedIndex{}))
	filterSize  = int64(unsafe.Sizeof(engine.Filter{}))
	matcherSize = int64(unsafe.Sizeof(execution{})) // that evaluates the conditions of a set
)

func sizeOfName(name string) int64 { return int64(len(name)) + 16 }

func sizeOfID(id uuid.UUID) int64 { return int64(len(id)) }

// sizeOfNames is what filters of a set take, and how many names they have.
func sizeOfNames(filters []engine.Filter) (n noted) {
	for i := range filters {
		f := &filters[i]
		n.add(noted{len(f.IDs) + len(f.Any), filterSize + int64(len(f.Prefix)) + 16*int64(len(f.IDs))})
		n.list(f.Streams, true)
		n.list(f.Types, true)
		n.list(f.Tags, false)
		for _, a := range f.Any {
			n.bytes += int64(unsafe.Sizeof(a))
			n.list(a.Streams, false)
			n.list(a.Types, false)
			n.list(a.Tags, false)
		}
	}
	return n
}

// list adds the names of a list, which count as such if that is told.
func (n *noted) list(names []string, count bool) {
	for _, name := range names {
		n.bytes += sizeOfName(name)
	}
	if count {
		n.names += len(names)
	}
}

// readMemory counts what notes take as memory of a query: of the first session that reads in the
// transaction.
type readMemory struct {
	budget  budget
	keep    *keeper
	limited bool
	spent   error // what they need is not there
}

// begin gives the notes the memory that a query has where nobody says anything else.
func (m *readMemory) begin() {
	m.budget.set(&Settings{})
	m.keep = newKeeper(&m.budget, "noting what a serializable transaction reads")
}

// limit gives the notes the memory of a session's query.
func (m *readMemory) limit(s *Settings) {
	if !m.limited {
		m.limited = true
		m.budget.set(s)
	}
}

// hold counts n more bytes.
func (m *readMemory) hold(n int64) {
	if err := m.keep.account(n); err != nil && m.spent == nil {
		m.spent = err
	}
}

// release gives back everything.
func (m *readMemory) release() {
	m.keep.giveBack()
	m.budget.close()
}

// failed returns why not everything could be noted that was read, nil if it was.
func (r *txReads) failed() error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.memory.spent
}

// end gives back the memory of the notes. Nothing is noted behind it.
func (r *txReads) end() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.memory.release()
}

// noteless returns why what the statement has read could not be noted, nil if it was or need not be.
func (ex *execution) noteless() error {
	if x, ok := ex.index.(*watchedIndex); ok {
		return x.reads.failed()
	}
	return nil
}
