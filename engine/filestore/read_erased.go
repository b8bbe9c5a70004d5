package filestore

import (
	"context"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
)

// hide takes the content from an event that an erasure names, whether or not the file has been written
// anew already.
func (s *segmentReader) hide(r *logEvent) {
	if s.hidden != nil && s.hidden.Has(s.position(r.ord)) {
		r.Payload, r.Metadata = nil, nil
		r.Flags |= format.FlagRedacted
	}
}

// isErased reports whether all those of the events that lie in segment i hold no content on the disk.
func (r *readIndex) isErased(ctx context.Context, i int, events engine.Spans) (bool, error) {
	bare := *r.view
	bare.erasures = nil
	disk := newReadIndex(r.shared, &bare, r.head)
	seg := r.view.segments[i]
	part := engine.Span{From: seg.base, To: seg.base + engine.Position(r.limit(i))}
	for _, span := range reaching(events, part.From, part.To) {
		from, to := max(span.From, part.From), min(span.To, part.To)
		var c eventCursor
		c.begin(ctx, disk, engine.Filter{From: from, To: to, Limit: int(to - from)}, false)
		c.memory.reuse = true
		erased := true
		for erased && c.next() {
			erased = c.found.Redacted()
		}
		c.stop()
		if c.err != nil || !erased {
			return false, c.err
		}
	}
	return true, nil
}
