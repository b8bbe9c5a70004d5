package query

import (
	"encoding/binary"

	"github.com/eventfold/eventfold/query/internal/spill"
	"github.com/eventfold/eventfold/query/internal/value"
)

// DISTINCT and UNION of more different rows than memory holds. Until memory is full each row is given
// as it is found. Then the keys of these go to the statement's file, by parts of the keys, and behind
// them all rows to come. Of each part the first row of a key that no row before had is written, under
// its number, and these are merged: they come in the order in which they were found.

// A distinctSpill drops repeated rows by way of the statement's file.
type distinctSpill struct {
	ex     *execution
	rows   *distinctRows
	clause string
	width  [2]int // how many sort keys and results a row has
	parts  *spilledParts
	out    spilledRuns
	merged *mergedRuns
	row    *sortedRow // the current row, when rows come from the file
	serial int
	record []byte
	keys   []value.Value

	// Of a pass.
	seen map[string]struct{}
	keep *keeper
	room spillRoom
	at   sortedRow
}

// newDistinctSpill lets rows use the statement's temporary file, nil if it may have none.
func newDistinctSpill(ex *execution, rows *distinctRows, sortKeys int) *distinctSpill {
	if !ex.spills() {
		return nil
	}
	d := &distinctSpill{ex: ex, rows: rows, clause: rows.set.keep.clause}
	d.width = [2]int{sortKeys, len(rows.set.keys.collates)}
	ex.budget.enlist(d)
	return d
}

// used reports whether rows go to the file.
func (d *distinctSpill) used() bool { return d != nil && d.parts != nil }

// gives reports whether rows come from the file.
func (d *distinctSpill) gives() bool { return d != nil && d.row != nil }

// spillable implements spiller.
func (d *distinctSpill) spillable() int64 {
	if d.parts != nil {
		return 0
	}
	return d.rows.set.keep.taken
}

// spill implements spiller: it writes the keys that were seen. They have no rows behind them.
func (d *distinctSpill) spill() error {
	parts, err := newSpilledParts(d.ex, d.clause, d.ex.budget.parts(d.rows.set.keep.taken))
	if err != nil {
		return err
	}
	d.parts, d.keys, d.keep = parts, make([]value.Value, d.width[0]), newKeeper(d.ex.budget, d.clause)
	d.out = spilledRuns{ex: d.ex, clause: d.clause, width: d.width}
	for key := range d.rows.set.seen {
		k := value.BytesOf(key)
		d.record = spillRecord(d.record[:0], k)
		if err := parts.add(parts.of(k), d.record); err != nil {
			return err
		}
	}
	clear(d.rows.set.seen)
	d.rows.set.seen = nil
	d.rows.set.keep.release()
	return nil
}

// addRow gives the current row of the projection to its part.
func (d *distinctSpill) addRow() error {
	in := d.rows.projection
	row, err := in.results()
	if err != nil {
		return err
	}
	if len(d.keys) > 0 {
		if err := in.sortKeys(d.keys); err != nil {
			return err
		}
	}
	key, err := d.rows.set.keys.of(d.rows.en, row)
	if err != nil {
		return err
	}
	d.record = spillRecord(d.record[:0], key)
	d.record = binary.AppendUvarint(d.record, uint64(d.serial))
	d.serial++
	d.record = appendValues(d.record, d.keys)
	d.record = appendValues(d.record, row)
	return d.parts.add(d.parts.of(key), d.record)
}

// advance moves to the next row that comes from the file, for which all rows are read.
func (d *distinctSpill) advance() (bool, error) {
	if d.merged == nil {
		if err := d.build(); err != nil {
			return false, err
		}
	}
	row, err := d.merged.next()
	if row == nil || err != nil {
		return false, err
	}
	d.row, d.rows.row = row, row.values
	return true, nil
}

func (d *distinctSpill) sortKeys(dst []value.Value) error {
	copy(dst, d.row.keys)
	return nil
}

func (d *distinctSpill) build() error {
	for n := 1; ; n++ {
		if n%batchRows == 0 {
			if err := d.ex.ctx.Err(); err != nil {
				return err
			}
		}
		ok, err := d.rows.projection.advance()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if err := d.addRow(); err != nil {
			return err
		}
	}
	d.ex.budget.dismiss(d)
	passes := &spillPasses{ex: d.ex, clause: d.clause, taker: d}
	if err := passes.all(d.parts); err != nil {
		return err
	}
	var err error
	d.merged, err = d.out.merge(d.rows.en)
	return err
}

// reset implements spillTaker, as do the methods that follow.
func (d *distinctSpill) reset(most int) error {
	d.out.drop()
	d.keep.release()
	d.seen = map[string]struct{}{}
	d.at = sortedRow{keys: make([]value.Value, d.width[0]), values: make([]value.Value, d.width[1])}
	d.room = newSpillRoom(d.ex.budget, most)
	if most == 0 {
		return nil
	}
	return d.out.begin()
}

func (d *distinctSpill) kept() int { return len(d.seen) }

func (d *distinctSpill) take(key, record []byte) (bool, error) {
	if _, there := d.seen[string(key)]; there {
		return true, nil
	}
	if d.room.full(len(d.seen)) {
		return false, nil
	}
	d.seen[string(key)] = struct{}{}
	if err := d.keep.account(int64(len(key)) + keySize); err != nil {
		return false, err
	}
	if len(record) == 0 { // it has been given
		return true, nil
	}
	serial, n := binary.Uvarint(record)
	if n <= 0 {
		return false, spillFault(&SpillError{Err: spill.ErrDamaged}, d.clause)
	}
	d.at.serial = int(serial)
	rest, err := cutValues(record[n:], d.at.keys)
	if err == nil {
		_, err = cutValues(rest, d.at.values)
	}
	if err != nil {
		return false, spillFault(err, d.clause)
	}
	return true, d.out.add(&d.at)
}

func (d *distinctSpill) finish() error {
	if err := d.out.end(); err != nil {
		return err
	}
	return d.reset(0)
}

func (d *distinctSpill) close() {
	if d == nil {
		return
	}
	d.ex.budget.dismiss(d)
	if d.parts == nil {
		return
	}
	d.keep.release()
	d.seen = nil
	d.parts.free()
	d.merged.close()
	d.out.free()
}
