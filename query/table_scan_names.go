package query

import (
	"slices"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/query/internal/expr"
)

// A scan of $all that reads nothing but names of types, or of streams, gives each of them once, from
// the index, if its query gives the same whether a name comes once or many times: that of DISTINCT,
// GROUP BY without counting, COUNT(DISTINCT stream), MIN and MAX.

// repeatless are the aggregates that do not mind whether equal rows come once or many times; true for
// those that need DISTINCT for it.
var repeatless = map[string]bool{"count": true, "min": false, "max": false}

// dropsRepeats reports whether the core gives the same rows if equal rows of its table come once.
func (c *coreScope) dropsRepeats(p *corePlan) bool {
	if c.followed() || c.nesting || len(c.windows) > 0 || len(p.where) > 0 || len(p.on) > 0 ||
		p.directed != nil || !c.aggregate && !p.distinct {
		return false
	}
	volatile := func(x *expr.Expr) bool { return x != nil && x.Volatile }
	for _, a := range c.aggs {
		needs, ok := repeatless[a.name]
		if !ok || needs && !a.distinct || a.filter != nil || slices.ContainsFunc(a.args, volatile) {
			return false
		}
	}
	return !slices.ContainsFunc(p.results, volatile) && !slices.ContainsFunc(c.keys, volatile)
}

// namesOf is the column whose values the index lists for the scan: ordType, ordStream, or -1 if it
// has to read events.
func (s *tableScan) namesOf(ex *execution, f engine.Filter) int {
	if !s.repeats || !s.events().all || len(s.conds) != len(s.alone) || len(ex.own) > 0 || ex.since > 0 ||
		ex.keeping || ex.following != nil {
		return -1
	}
	if f.From > 0 || f.To > 0 || f.Streams != nil || f.IDs != nil || f.Tags != nil || f.Any != nil ||
		f.MinVersion > 0 || f.HasMaxVersion || !f.Since.IsZero() || !f.Before.IsZero() {
		return -1
	}
	names := -1
	for _, i := range s.needed() {
		if i == ordCategory {
			i = ordStream
		}
		if i != ordType && i != ordStream || names >= 0 && i != names {
			return -1
		}
		names = i
	}
	if names == ordStream && f.Types != nil || names == ordType && f.Prefix != "" {
		return -1
	}
	return names
}

// names starts listing a column's values.
func (s *tableScan) names(ex *execution, column int, b scanBounds) (batches, error) {
	b.seen.toEnd()
	index := quiet(ex.index)
	if column == ordStream {
		list := &nameBatches{streams: index.Streams(ex.ctx, b.Prefix)}
		withoutTimes(list.streams)
		return list, nil
	}
	types, err := index.Types(ex.ctx)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(types, func(a, b engine.TypeInfo) int {
		return int(min(max(int64(a.FirstPosition)-int64(b.FirstPosition), -1), 1))
	})
	list := &nameBatches{}
	for i := range types {
		list.types = append(list.types, types[i].Type)
	}
	return list, nil
}

// nameBatches are batches of events of which only the stream, or only the type, is known.
type nameBatches struct {
	streams engine.StreamCursor // nil for types
	types   []string            // that are left
	batch   expr.Batch
}

func (n *nameBatches) next() (*expr.Batch, error) {
	b := new(engine.Batch)
	if n.streams == nil {
		b.Types = n.types[:min(len(n.types), batchRows)]
		n.types, b.Len = n.types[len(b.Types):], len(b.Types)
	} else {
		for b.Len < batchRows && n.streams.Next() {
			b.Streams = append(b.Streams, n.streams.Stream().Stream)
			b.Len++
		}
		if err := n.streams.Err(); err != nil {
			return nil, err
		}
	}
	if b.Len == 0 {
		return nil, nil
	}
	n.batch = expr.Batch{Len: b.Len, Events: b, Serial: n.batch.Serial + 1}
	return &n.batch, nil
}

func (n *nameBatches) close() error {
	if n.streams == nil {
		return nil
	}
	return n.streams.Close()
}
