package filestore

import (
	"github.com/google/uuid"

	"github.com/eventfold/eventfold/engine/filestore/internal/format"
)

// A view is the list of segments as readers see it. It is immutable: the writer publishes a new one
// when a segment is sealed, added or replaced. How far into the last segment a reader may look is
// told by the store's durable position alone. A reader loads durable first and the view after it,
// so that the view holds every event below durable.
type view struct {
	store    uuid.UUID
	segments []*segment     // by base position, without gaps
	replaced uint64         // how many segments had been replaced by a new generation
	erasures *erasures      // that are not done; nil for none
	erased   *format.Erased // the file ERASED; nil if there is none
}
