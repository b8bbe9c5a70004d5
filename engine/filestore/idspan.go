package filestore

import (
	"bytes"

	"github.com/google/uuid"
)

// An idSpan bounds the ids of a segment. Ids of version 7 begin with their time, so those of a segment lie close
// together and the span of most segments excludes an id that is not there. Ids of other versions are only noted.
type idSpan struct {
	ordered     bool      // there are ids of version 7, from least to greatest
	others      bool      // there are ids of other versions
	least, most uuid.UUID // of version 7
}

// isOrdered reports whether an id is of version 7 as RFC 9562 has it.
func isOrdered(id *uuid.UUID) bool { return id[6]>>4 == 7 && id[8]>>6 == 2 }

func (s *idSpan) add(id *uuid.UUID) {
	if !isOrdered(id) {
		s.others = true
		return
	}
	if !s.ordered || bytes.Compare(id[:], s.least[:]) < 0 {
		s.least = *id
	}
	if !s.ordered || bytes.Compare(id[:], s.most[:]) > 0 {
		s.most = *id
	}
	s.ordered = true
}

// join makes the span hold what other holds.
func (s *idSpan) join(other *idSpan) {
	if other.ordered {
		s.add(&other.least)
		s.add(&other.most)
	}
	s.others = s.others || other.others
}

// mayHold reports whether the segment may have the id.
func (s *idSpan) mayHold(id *uuid.UUID) bool {
	if !isOrdered(id) {
		return s.others
	}
	return s.ordered && bytes.Compare(id[:], s.least[:]) >= 0 && bytes.Compare(id[:], s.most[:]) <= 0
}
