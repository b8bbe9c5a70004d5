package query

import (
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A directedScan gives rows in the order of ORDER BY by reading the log in that direction, so that
// LIMIT ends the reading.
type directedScan struct {
	scan      *tableScan
	backwards bool
	exact     bool // no condition stands above the scan
}

// direct returns how the scan itself can give the order of a core, nil if it cannot: ORDER BY
// position or recorded_at, or version where only one stream is read.
func (c *coreScope) direct(p *corePlan, order []parser.Order) *directedScan {
	scan, ok := c.from.(*tableScan)
	if !ok || len(order) == 0 || scan.events() == nil || c.aggregate {
		return nil
	}
	first := order[0]
	col, _ := splitCollate(first.Expr)
	if i, err := c.orderResult(col); err != nil {
		return nil
	} else if i >= 0 {
		col = c.results[i].Expr
	}
	switch c.leafColumn(leaf{src: &c.sources[0]}, col) {
	case ordPosition:
	case ordRecordedAt:
		if len(order) > 1 { // equal times are ordered by the terms that follow
			return nil
		}
	case ordVersion:
		if !scan.ofOneStream() {
			return nil
		}
	default:
		return nil
	}
	return &directedScan{scan: scan, backwards: first.Desc, exact: len(p.where) == 0 && !p.distinct}
}

// ofOneStream reports whether all rows are of one stream, so that versions grow along the log.
func (s *tableScan) ofOneStream() bool {
	if !s.events().all {
		return true
	}
	for _, b := range s.bounds {
		// Whatever the operand gives: texts that equal it byte by byte are equal.
		if b.ord == ordStream && b.op == parser.OpEq && len(b.operands) == 1 &&
			b.operands[0].Collate == value.Binary {
			return true
		}
	}
	return false
}

func (d *directedScan) open(ex *execution, outer *expr.Env, limit int64) (rows, error) {
	if !d.exact || limit < 0 {
		limit = 0
	}
	return d.scan.openLimited(ex, outer, d.backwards, limit)
}
