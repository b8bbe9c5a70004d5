package eventfold

import "context"

// aheadOf tells of a read model that has more than there is in the store, which is nil otherwise: it
// was made of another store, or of one that a backup has replaced; or db is a copy that is behind.
func (p Projection) aheadOf(ctx context.Context, db Querier, c checkpoint) (ahead, err error) {
	head, err := headOf(ctx, db)
	if err != nil || c.next <= head {
		return nil, err
	}
	return fault(ErrConfig, "project", "projection %s, version %d, has read up to position %d, and the store "+
		"ends at %d: it is another store, or one that a backup has replaced; reset the projection, or give it "+
		"another database", p.Name, p.Version, c.next-1, head-1), nil
}

// checkMark checks that the last event which the read model has is in the store where it was. It is
// not ahead of the store.
func (p Projection) checkMark(ctx context.Context, db Querier, c checkpoint) error {
	if c.markAt == NoPosition {
		return nil
	}
	e, err := eventAt(ctx, db, c.markAt)
	if err != nil {
		return err
	}
	if e.Position == NoPosition || e.ID.String() != c.markID {
		return fault(ErrConfig, "project", "projection %s, version %d, was made of another store, or of one that a "+
			"backup has replaced: event %s is not at position %d; reset the projection, or give it another database",
			p.Name, p.Version, c.markID, c.markAt)
	}
	return nil
}

// checkEmpty checks that the store has no event for the projection up to a position, which a read
// model that has never had one says it has everything of.
func (p Projection) checkEmpty(ctx context.Context, db Querier, last Position) error {
	concerns, err := p.selects(ctx, db, 0, last)
	if err != nil || !concerns {
		return err
	}
	return fault(ErrConfig, "project", "projection %s, version %d, has passed position %d without an event, and "+
		"the store has one for it there or before: it was made of another store; reset the projection, or give it "+
		"another database", p.Name, p.Version, last)
}
