package format

import (
	"bytes"

	"github.com/google/uuid"
)

// An IDSpan bounds the ids of a segment. Ids of version 7 begin with their time, so those of a
// segment lie close together and the span of most segments excludes an id that is not there. Ids of
// other versions are only noted.
type IDSpan struct {
	Ordered     bool      // there are ids of version 7, from least to greatest
	Others      bool      // there are ids of other versions
	Least, Most uuid.UUID // of version 7
}

// IsOrdered reports whether an id is of version 7 as RFC 9562 has it.
func IsOrdered(id *uuid.UUID) bool { return id[6]>>4 == 7 && id[8]>>6 == 2 }

// Add makes the span hold an id.
func (s *IDSpan) Add(id *uuid.UUID) {
	if !IsOrdered(id) {
		s.Others = true
		return
	}
	if !s.Ordered || bytes.Compare(id[:], s.Least[:]) < 0 {
		s.Least = *id
	}
	if !s.Ordered || bytes.Compare(id[:], s.Most[:]) > 0 {
		s.Most = *id
	}
	s.Ordered = true
}

// Join makes the span hold what other holds.
func (s *IDSpan) Join(other *IDSpan) {
	if other.Ordered {
		s.Add(&other.Least)
		s.Add(&other.Most)
	}
	s.Others = s.Others || other.Others
}

// MayHold reports whether the segment may have the id.
func (s *IDSpan) MayHold(id *uuid.UUID) bool {
	if !IsOrdered(id) {
		return s.Others
	}
	return s.Ordered && bytes.Compare(id[:], s.Least[:]) >= 0 && bytes.Compare(id[:], s.Most[:]) <= 0
}
