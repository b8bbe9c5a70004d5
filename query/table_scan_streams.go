package query

import (
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/query/internal/expr"
)

// streamShare is which part of the log a scan may be left with by the indexes, at least, to be read
// stream by stream: less of it is sooner found as it lies.
const streamShare = 16

// scanStreams starts reading the rows of $all stream by stream; nil if that cannot be, or is of no
// use. fleeting tells that nothing of a batch is kept when the next one is asked for, except types.
func (s *tableScan) scanStreams(ex *execution, outer *expr.Env, fleeting bool) (rows, error) {
	scanner, what, err := s.streamScanner(ex, outer)
	if scanner == nil || err != nil {
		return nil, err
	}
	cursor := scanner.ScanStreams(ex.ctx, s.filter(what), s.columnSet()|engine.ColStream)
	if cursor == nil {
		return nil, nil
	}
	if r, ok := cursor.(engine.Reuser); ok && fleeting {
		r.Reuse()
	}
	what.seen.toEnd()
	src := &eventBatches{ex: ex, table: s.events(), cursor: cursor}
	return &scannedRows{src: src, conds: s.conds}, nil
}

// streamScanner returns the index that can read the events stream by stream, nil if there is none.
func (s *tableScan) streamScanner(ex *execution, outer *expr.Env) (engine.StreamScanner, *narrowing, error) {
	index := quiet(ex.index) // how to read is no answer, and what is read is noted
	scanner, ok := index.(engine.StreamScanner)
	if !ok || !s.events().all || len(ex.own) > 0 || ex.since > 0 || ex.keeping || ex.following != nil {
		return nil, nil, nil
	}
	what, err := s.narrow(ex, outer)
	if err != nil || what.empty || what.streams != nil || what.tags != nil || what.ids != nil || what.any != nil ||
		what.prefix != "" || what.categories != nil {
		return nil, nil, err
	}
	n, ok, err := s.atMost(ex, index, what)
	if err != nil || ok && n < int64(ex.index.Head())/streamShare {
		return nil, nil, err
	}
	what.seen = s.sees(ex, what)
	return scanner, what, nil
}
