package query

import (
	"slices"
	"strings"

	"github.com/eventfold/eventfold/query/internal/value"
)

// A keeper copies rows that are held for longer than the row lasts, and accounts for them. Texts
// are copied, too: a short one would keep alive the whole block of the log that it was read from.
type keeper struct {
	budget *budget
	clause string
	values []value.Value // room for rows
	bytes  []byte        // room for texts
	taken  int64         // accounted so far, released by release
}

func newKeeper(b *budget, clause string) *keeper { return &keeper{budget: b, clause: clause} }

const (
	valueSize  = 40 // bytes of a Value
	keptValues = 512
	keptBytes  = 32 << 10
)

// row returns a copy of the row.
func (k *keeper) row(row []value.Value) ([]value.Value, error) {
	if err := k.account(rowSize(row)); err != nil {
		return nil, err
	}
	return k.copyOf(row), nil
}

// two returns copies of two rows that are kept together: what makes room for one of them does not give
// back what the other has been accounted for.
func (k *keeper) two(a, b []value.Value) (first, second []value.Value, err error) {
	if err := k.account(rowSize(a) + rowSize(b)); err != nil {
		return nil, nil, err
	}
	return k.copyOf(a), k.copyOf(b), nil
}

// rowSize is how many bytes a row takes that is kept.
func rowSize(row []value.Value) int64 {
	size := int64(len(row)*valueSize) + 24
	for i := range row {
		size += int64(len(row[i].S))
	}
	return size
}

func (k *keeper) copyOf(row []value.Value) []value.Value {
	if len(k.values) < len(row) {
		k.values = make([]value.Value, max(keptValues, len(row)))
	}
	kept := k.values[:len(row):len(row)]
	k.values = k.values[len(row):]
	for i, v := range row {
		v.S = k.text(v.S)
		kept[i] = v
	}
	return kept
}

// alone is row for rows that come and go in no order: nothing else shares their memory, so that
// forget tells the truth of them.
func (k *keeper) alone(row []value.Value) ([]value.Value, error) {
	if err := k.account(rowSize(row)); err != nil {
		return nil, err
	}
	kept := slices.Clone(row)
	for i := range kept {
		kept[i].S = strings.Clone(kept[i].S)
	}
	return kept, nil
}

// value returns a copy of a value.
func (k *keeper) value(v value.Value) (value.Value, error) {
	if err := k.account(int64(len(v.S))); err != nil {
		return v, err
	}
	v.S = k.text(v.S)
	return v, nil
}

func (k *keeper) text(s string) string {
	if s == "" {
		return s
	}
	if len(s) > keptBytes/4 {
		return string(append([]byte(nil), s...))
	}
	if len(k.bytes) < len(s) {
		k.bytes = make([]byte, keptBytes)
	}
	n := copy(k.bytes, s)
	kept := value.StringOf(k.bytes[:n:n])
	k.bytes = k.bytes[n:]
	return kept
}

// account holds n bytes of the query's budget.
func (k *keeper) account(n int64) error {
	k.taken += n
	err := k.budget.hold(n, k.clause)
	if k.taken == 0 { // to make room all that was kept has been written to a file, and released
		k.taken = n
		k.budget.owe(n)
	}
	return err
}

// drop gives back n bytes of what was accounted for.
func (k *keeper) drop(n int64) {
	k.taken -= n
	k.budget.release(n)
	k.budget.discard(n)
}

// release gives back what was accounted for. It may run the garbage collector.
func (k *keeper) release() { k.budget.discard(k.giveBack()) }

// giveBack is release without the garbage collector. It returns how many bytes that were.
func (k *keeper) giveBack() int64 {
	taken := k.taken
	k.taken = 0
	k.budget.release(taken)
	return taken
}

// moveTo has another budget account for what is held, and ends the one that did. It is false if there
// is no room: then nothing accounts for it.
func (k *keeper) moveTo(b *budget) bool {
	taken := k.giveBack()
	k.budget.close()
	k.budget = b
	if k.account(taken) == nil {
		return true
	}
	k.giveBack()
	return false
}

// forget gives back what was accounted for a row that is no longer held. Its memory is shared with
// rows that were kept at the same time, so the account is lower than the truth until those go, too;
// row copies bound that to their chunks.
func (k *keeper) forget(row []value.Value) {
	k.drop(rowSize(row))
}
