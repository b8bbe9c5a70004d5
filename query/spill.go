package query

import (
	"errors"
	"slices"

	"github.com/eventfold/eventfold/query/internal/spill"
	"github.com/eventfold/eventfold/query/internal/value"
)

// What a query cannot hold in memory goes to a temporary file (see package spill), if its Session says
// where: the rows of ORDER BY, which are sorted in runs that are merged (clause_order_spill.go), and
// those of GROUP BY, DISTINCT and hash joins, which are divided by a hash of their keys into parts that
// memory holds (spill_passes.go). The rows come in the order that they have without the file.

// A Spill says where queries keep what their memory does not hold.
type Spill struct {
	Space *SpillSpace // of all queries of a store; nil: they keep nothing, and end with a MemoryError
	Dir   string      // a directory; "" for the system's for temporary files
	Limit int64       // bytes of a query; 0 means DefaultSpill
}

// DefaultSpill is how many bytes a query may keep in a temporary file.
const DefaultSpill = 4 << 30

// A SpillSpace counts the temporary files of a store's queries. Any number of goroutines use it.
type SpillSpace = spill.Space

// NewSpillSpace returns a SpillSpace on the operating system's file system.
func NewSpillSpace() *SpillSpace { return spill.NewOSSpace() }

// A SpillError tells why a query could not keep in a temporary file what its memory does not hold: its
// limit is met (Spent), the disk is full or nearly so (Full), or the system has refused something (Err).
type SpillError = spill.Error

const (
	spillPart  = 128      // a block is so small a part of what may be held, within these bounds in bytes:
	slotLeast  = 1 << 10  // smaller ones would mostly be overhead
	slotMost   = 64 << 10 // larger ones would not be faster
	spillLeast = 4        // who holds less than so many blocks is not asked for them
)

// spills reports whether the statement may use a temporary file.
func (ex *execution) spills() bool {
	return ex.session != nil && ex.session.Settings.Spill.Space != nil && ex.following == nil && !ex.keeping
}

// slot is how many bytes a block of the statement's file has.
func (b *budget) slot() int64 {
	most := b.limit
	if b.store != nil {
		most = min(most, b.store.limit)
	}
	return min(max(most/spillPart, slotLeast), slotMost)
}

// spillFile returns the statement's temporary file, which its end closes.
func (ex *execution) spillFile(clause string) (*spill.File, error) {
	if ex.spilled != nil {
		return ex.spilled, nil
	}
	s := &ex.session.Settings.Spill
	limit := s.Limit
	if limit <= 0 {
		limit = DefaultSpill
	}
	f, err := s.Space.Create(spill.Options{Dir: s.Dir, Limit: limit, Slot: int(ex.budget.slot())})
	if err != nil {
		return nil, spillFault(err, clause)
	}
	ex.spilled = f
	return f, nil
}

// endSpill closes the statement's file.
func (ex *execution) endSpill() {
	if ex.spilled != nil {
		_ = ex.spilled.Close() // nobody reads it any more
		ex.spilled = nil
	}
}

// spillFault names the clause in an error of a temporary file. A block that cannot be read, or is not
// what was written, is the disk's fault; otherwise the query has needed too much.
func spillFault(err error, clause string) error {
	var e *SpillError
	if !errors.As(err, &e) || errors.As(err, new(*Error)) {
		return err
	}
	if e.Clause == "" {
		e.Clause = clause
	}
	hint := "select less, or raise query_memory"
	switch {
	case errors.Is(err, spill.ErrDamaged):
		return e
	case e.Spent:
		hint = "select less, or raise spill or query_memory"
	default:
		hint += "; spill_dir names another directory"
	}
	return &Error{Kind: OutOfMemory, Pos: -1, Msg: e.Error(), Hint: hint, Err: e}
}

// isSpent reports whether an error says that memory is spent, so that a file may help.
func isSpent(err error) bool {
	var spent *MemoryError
	return errors.As(err, &spent)
}

// A spiller holds memory that it can give back by writing to the statement's file.
type spiller interface {
	// spillable is how many bytes it would give back.
	spillable() int64
	// spill gives them back. It must hold nothing while it does that.
	spill() error
}

// enlist has a spiller asked when memory is short, until it is dismissed.
func (b *budget) enlist(s spiller) { b.spillers = append(b.spillers, s) }

func (b *budget) dismiss(s spiller) {
	for i := range b.spillers {
		if b.spillers[i] == s {
			b.spillers = slices.Delete(b.spillers, i, i+1)
			return
		}
	}
}

// fixed is how many bytes are held that no spiller would give back. The statement's goroutine asks.
func (b *budget) fixed() int64 {
	held := b.held.Load()
	for _, s := range b.spillers {
		held -= s.spillable()
	}
	return held
}

// makeRoom has spillers write what they hold until there is room for what is held already. It reports
// false if they cannot make enough. The statement's goroutine waits while others ask, which do it one
// at a time.
func (b *budget) makeRoom() (bool, error) {
	if len(b.spillers) == 0 {
		return false, nil
	}
	b.spilling.Lock()
	defer b.spilling.Unlock()
	for {
		if held := b.held.Load(); held <= b.limit && (held <= b.share.Load() || b.grow(held)) {
			return true, nil
		}
		var most spiller
		for _, s := range b.spillers {
			if most == nil || s.spillable() > most.spillable() {
				most = s
			}
		}
		if most.spillable() < spillLeast*b.slot() {
			return false, nil
		}
		if err := most.spill(); err != nil {
			return false, err
		}
	}
}

// owe accounts for n bytes whether or not there is room for them: what is needed to make room, which
// are a few blocks. It is released like what is held.
func (b *budget) owe(n int64) { b.held.Add(n) }

// spareBlocks holds the memory of as many blocks of a size as there is room for in half of what is left,
// up to most, and at least of two.
func (b *budget) spareBlocks(most int, size int64, clause string) (n int, err error) {
	n = int(min(max((b.limit-b.held.Load())/2/size, 2), int64(most)))
	for {
		err := b.hold(int64(n)*size, clause)
		if err == nil || n <= 2 {
			return n, err
		}
		b.release(int64(n) * size)
		n = max(n/2, 2)
	}
}

// blockOf is how many bytes reading a block of any of the lists takes, at most.
func (b *budget) blockOf(lists ...*spill.List) int64 {
	block := b.slot()
	for _, l := range lists {
		block = max(block, l.Longest())
	}
	return block
}

// appendValues appends the bytes of values.
func appendValues(b []byte, row []value.Value) []byte {
	for _, v := range row {
		b = value.AppendStored(b, v)
	}
	return b
}

// cutValues reads as many values as row has room for, and returns what is behind them.
func cutValues(b []byte, row []value.Value) (rest []byte, err error) {
	ok := true
	for i := range row {
		if row[i], b, ok = value.CutStored(b); !ok {
			return nil, &SpillError{Err: spill.ErrDamaged}
		}
	}
	return b, nil
}
