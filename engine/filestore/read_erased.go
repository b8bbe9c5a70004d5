package filestore

import (
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
)

// hide takes the content from a row that an erasure names, whether or not the file has been written
// anew already.
func (s *segmentReader) hide(r *row) {
	if s.hidden != nil && s.hidden.Has(s.position(r.ord)) {
		r.Payload, r.Metadata = nil, nil
		r.Flags |= format.FlagRedacted
	}
}
