package query

import (
	"fmt"

	"github.com/eventfold/eventfold/engine"
)

// A ViewTooLargeError tells why the groups of a materialized view are not kept: they need more memory
// than a view may take. The view is computed whenever it is read. $views has the error's text; no
// statement fails with it.
type ViewTooLargeError struct {
	View   string
	Groups int64 // that there were when the memory was used up
	Limit  int64 // in bytes
}

// Error tells the groups and the limit.
func (e *ViewTooLargeError) Error() string {
	return fmt.Sprintf("the groups of view %q are not kept: %d of them need more than the %d bytes of view_memory; "+
		"group by less, or raise view_memory", e.View, e.Groups, e.Limit)
}

// giveUp lets go of everything, because it and groups that were being made behind it need too much
// memory. If what is kept is not what they were made behind, that says nothing of the view.
func (k *keptView) giveUp(view string, made *groupTable, from engine.Position) {
	k.mu.Lock()
	defer k.unlock()
	if k.endLocked() != from {
		return
	}
	e := &ViewTooLargeError{View: view, Groups: int64(len(made.groups)), Limit: k.budget.limit}
	for _, l := range k.levels {
		e.Groups += int64(len(l.table.groups))
	}
	k.resetLocked(0)
	k.tooLarge.Store(e)
}
