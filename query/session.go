package query

import (
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/query/internal/expr"
)

// A Keyring opens sealed values and destroys keys.
type Keyring = expr.Keyring

// Settings are what a connection's Session is given once.
type Settings struct {
	Memory int64   // bytes a query may hold; 0 means DefaultMemory
	Shared *Memory // what all queries of the store may hold together; nil for no limit

	Spill Spill // where queries keep what their memory does not hold

	// ViewMemory is how many bytes the groups of a materialized view may take in this process; 0 means
	// DefaultViewMemory.
	ViewMemory int64

	JSONText bool             // JSON columns come out as string
	ReadOnly bool             // the store is open for reading only: BACKUP TO is refused
	Backup   bool             // BACKUP TO is allowed all the same, and in read-only transactions
	Now      func() time.Time // nil means time.Now

	Serializable bool // BEGIN without a level begins a serializable transaction

	Keyring      Keyring    // for reveal(), blind() and FORGET; nil for none
	Functions    *Functions // of the program; nil for none
	Actor        string     // who erases, for the record; "" for nobody in particular
	JSONRequired bool       // a payload that is not JSON is refused
	Followers    *Followers // of the store, in this process; nil means that nobody asks for them
	Views        *Views     // of the store, remembered; nil reads them for each statement that names one
}

// DefaultMemory is the memory budget of a query, in bytes.
const DefaultMemory = 256 << 20

// A Session is what the statements of one connection run in. One goroutine uses it at a time;
// open Rows may outlive calls but are pulled by one goroutine at a time as well.
type Session struct {
	Store    engine.Store
	Settings Settings
	Tx       *Tx // the open transaction, nil outside one; textual BEGIN, COMMIT and ROLLBACK set and clear it

	insertion *insertion       // nil before the first INSERT
	pinned    engine.ReadIndex // what the next statement reads outside a transaction; nil for the store as it is now
}

// now returns the time of the session's clock.
func (s *Session) now() time.Time {
	if s.Settings.Now != nil {
		return s.Settings.Now().UTC()
	}
	return time.Now().UTC()
}
