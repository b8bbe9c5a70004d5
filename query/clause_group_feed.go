package query

import (
	"github.com/eventfold/eventfold/query/internal/expr"
)

// A groupFeed groups rows that come stream by stream, where one of the keys is the stream: the groups
// of a stream are whole when the next one begins, so that no more than those of one are held.
type groupFeed struct {
	in     rows
	en     *expr.Env
	only   bool // the stream is the only key
	seen   int
	stream string // of the row of en
	ready  bool   // the row of en has not been grouped yet
	ended  bool
}

// fill makes the table that of the groups of the next stream. It reports false if there is none, and
// for no feed.
func (f *groupFeed) fill(t *groupTable) (bool, error) {
	if f == nil || f.ended {
		return false, nil
	}
	if !f.ready {
		if err := f.advance(); err != nil || f.ended {
			return false, err
		}
	}
	t.empty(f.only)
	for stream := f.stream; f.ready && f.stream == stream; {
		if err := t.add(f.en); err != nil {
			return false, err
		}
		if err := f.advance(); err != nil {
			return false, err
		}
	}
	return true, nil
}

// advance goes to the next row.
func (f *groupFeed) advance() error {
	f.ready = false
	if f.seen++; f.seen%batchRows == 0 {
		if err := f.en.Ctx.Err(); err != nil {
			return err
		}
	}
	f.en.Begin()
	ok, err := f.in.next(f.en)
	if err != nil {
		return err
	}
	if f.ready, f.ended = ok, !ok; ok {
		f.stream = f.en.Row.Batch.Events.Streams[f.en.Row.I]
	}
	return nil
}

func (f *groupFeed) close() error {
	if f == nil || f.in == nil {
		return nil
	}
	in := f.in
	f.in, f.ended = nil, true
	return in.close()
}

// empty makes the table that of no rows. If all rows to come are of one group, they need not be looked
// up after the first.
func (t *groupTable) empty(one bool) {
	t.keep.giveBack()
	t.groups = t.groups[:0]
	clear(t.byKey)
	t.recent = nil
	t.whole, t.one = nil, one
}
