package query

import (
	"slices"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A semiWalk answers a semiJoin whose sub-query is asked about the same stream: both queries are read
// stream by stream, and the keys of one stream are all that is held at a time.
type semiWalk struct {
	in     rows // of the sub-query
	en     *expr.Env
	keep   *keeper
	most   int64  // bytes that its keys may take
	stream string // whose keys are in the table's groups
	begun  bool   // there is one
	next   string // the stream of the row of en
	ready  bool   // that row belongs to a stream behind
	ended  bool   // in is
}

// isStream reports whether an expression is the stream of $all, which is the only table.
func (c *coreScope) isStream(e parser.Expr) bool {
	scan, ok := c.sources[0].rel.(*tableScan)
	return ok && scan.events() != nil && scan.events().all && c.leafColumn(leaf{src: &c.sources[0]}, e) == ordStream
}

// walkStreams notes the semi-joins of WHERE that can be answered stream by stream, in a core that does
// not depend on the order of its rows.
func (c *coreScope) walkStreams(p *corePlan) {
	scan, ok := p.from.(*tableScan)
	if !ok || scan.events() == nil || !scan.events().all || c.followed() || p.directed != nil ||
		!c.aggregate && len(p.order) == 0 {
		return
	}
	for _, a := range c.aggs {
		if a.ordered() {
			return
		}
	}
	for _, j := range p.semis {
		if j.stream > 0 && j.where {
			scan.semis, j.beside = append(scan.semis, j), scan
		}
	}
}

// walks returns those of the scan's semi-joins whose sub-queries can be read stream by stream, as the
// scan can; nil if it cannot. bare leaves out what EXPLAIN does not know.
func (s *tableScan) walks(ex *execution, outer *expr.Env, bare bool) ([]*semiJoin, error) {
	if _, watched := ex.index.(*watchedIndex); watched || len(s.semis) == 0 {
		return nil, nil
	}
	if ok, err := s.readsStreams(ex, outer, bare); !ok || err != nil {
		return nil, err
	}
	var list []*semiJoin
	for _, j := range s.semis {
		ok, err := j.sub.plan.cores[0].from.(*tableScan).readsStreams(ex, nil, bare)
		if err != nil {
			return nil, err
		}
		if ok {
			list = append(list, j)
		}
	}
	return list, nil
}

// openWalks starts the scan and the sub-queries of its semi-joins stream by stream; nil if that cannot
// be, or is of no use.
func (s *tableScan) openWalks(ex *execution, outer *expr.Env) (rows, error) {
	list, err := s.walks(ex, outer, false)
	if len(list) == 0 || err != nil {
		return nil, err
	}
	in, err := s.scanStreams(ex, outer, false)
	if in == nil || err != nil {
		return nil, err
	}
	walked := &walkedRows{rows: in}
	for _, j := range list {
		most := ex.budget.limit / semiMemory / int64(len(list))
		if err := walked.begin(j, ex, outer, most); err != nil {
			walked.close()
			return nil, err
		}
	}
	return walked, nil
}

// walkedRows are the rows of a scan beside which sub-queries are read.
type walkedRows struct {
	rows
	tables []*semiTable
}

// begin starts the sub-query of a semi-join. most is how many bytes the keys of a stream may take, however
// much the query holds beside them: what sorts its rows takes all that there is before it writes a file.
func (w *walkedRows) begin(j *semiJoin, ex *execution, outer *expr.Env, most int64) error {
	core := j.sub.plan.cores[0]
	in, err := core.from.(*tableScan).scanStreams(ex, outer, false)
	if in == nil || err != nil {
		return err
	}
	en := ex.env(ex.env(outer))
	in = &projectedRows{in: filtered(in, core.where), en: ex.env(en), plan: core,
		row: make([]value.Value, len(core.results))}
	t := j.table(ex, en)
	*t = semiTable{kinds: make([]keyKinds, len(j.keys)), groups: map[string]*expr.Set{}}
	t.walk = &semiWalk{in: in, en: en, keep: newKeeper(ex.budget, j.what), most: most}
	w.tables = append(w.tables, t)
	return nil
}

func (w *walkedRows) close() error {
	err := w.rows.close()
	for _, t := range w.tables {
		if cerr := t.endWalk(); err == nil {
			err = cerr
		}
	}
	return err
}

// endWalk makes the table one of all rows again, of which nothing is known.
func (t *semiTable) endWalk() error {
	if t.walk == nil {
		return nil
	}
	err := t.walk.in.close()
	t.walk.keep.release()
	t.walk, t.groups = nil, nil
	return err
}

// to makes the groups those of the stream of the enclosing query's row; false if they cannot be.
func (w *semiWalk) to(j *semiJoin, t *semiTable, en *expr.Env) bool {
	v := j.outer[j.stream-1].Eval(en)
	if v.Kind != value.String || w.begun && v.S < w.stream {
		return false
	}
	if w.begun && v.S == w.stream {
		return true
	}
	if err := w.load(j, t, v.S); err != nil { // it may not be an error of this row
		t.endWalk()
		return false
	}
	return true
}

// load reads the keys of a stream.
func (w *semiWalk) load(j *semiJoin, t *semiTable, stream string) error {
	w.keep.giveBack()
	clear(t.groups)
	clear(t.kinds)
	w.stream, w.begun = stream, true
	for {
		if !w.ready {
			if err := w.advance(j); err != nil {
				return err
			}
		}
		if !w.ready || w.next > stream {
			return nil
		}
		if w.ready = false; w.next == stream {
			if err := w.add(j, t); err != nil {
				return err
			}
		}
	}
}

// add adds the keys of the current row.
func (w *semiWalk) add(j *semiJoin, t *semiTable) error {
	if len(j.keys) == 1 && j.in == nil && len(t.groups) > 0 {
		return nil
	}
	if err := j.add(t, w.keep, w.en); err != nil {
		return err
	}
	if w.keep.taken > w.most {
		return errNoSemiJoin
	}
	return nil
}

// advance goes to the sub-query's next row.
func (w *semiWalk) advance(j *semiJoin) error {
	if w.ended {
		return nil
	}
	w.en.Begin()
	ok, err := w.in.next(w.en)
	if err != nil {
		return err
	}
	if w.ready, w.ended = ok, !ok; ok {
		row := w.en.Row.Values
		w.next = row[len(row)-len(j.keys)+j.stream-1].S
	}
	return w.en.Err
}

// walkText tells EXPLAIN that both queries are read stream by stream.
func (j *semiJoin) walkText(x *explainer) string {
	if j.beside == nil {
		return ""
	}
	list, err := j.beside.walks(x.ex, nil, true)
	if err != nil || !slices.Contains(list, j) {
		return ""
	}
	return ", stream by stream"
}
