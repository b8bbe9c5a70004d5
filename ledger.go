package eventfold

import (
	"context"
	"io"

	"github.com/eventfold/eventfold/engine/filestore"
)

// WriteLedger writes the ledger of a store to w: which events have been erased, as lines of JSON,
// for [ApplyErasures]. It holds positions and seals, and no content, no names and no reasons. dsn is
// the store's path or data source name; it is opened for reading only, beside whoever else uses it,
// this process too. A store in memory has no copies and is refused.
func WriteLedger(ctx context.Context, dsn string, w io.Writer) error {
	path, o, err := copyOptions(dsn)
	if err != nil {
		return err
	}
	o.ReadOnly, o.MustExist = true, true
	s, err := filestore.Open(path, o)
	if err != nil {
		return wrapError(ctx, "open", "", err)
	}
	defer s.Close()
	return wrapError(ctx, "write the ledger", "", s.WriteLedger(ctx, w))
}

// ApplyErasures erases in a copy of a store what was erased in the store after the copy was made: in
// a backup, a restored one, a copy of the directory, of any age, that nobody writes to. ledger is
// what [WriteLedger] has written, and dsn the copy's path or data source name.
//
// Each event is compared by its seal, all of them before anything is changed. A ledger that was cut
// or changed is a [*LedgerError], one of another store an error with the code [ErrFormat], another
// event in the place of one that was erased a [*SealError]. Events that came after the copy was made
// are counted and left out.
//
// The copy keeps its head and every receipt, a backup remains one, and VERIFY finds nothing wrong.
// After an error, or a crash, call it again; doing the same twice changes nothing.
func ApplyErasures(ctx context.Context, ledger io.Reader, dsn string) (ApplyReport, error) {
	path, o, err := copyOptions(dsn)
	if err != nil {
		return ApplyReport{}, err
	}
	report, err := filestore.ApplyErasures(ctx, ledger, path, o)
	return report, wrapError(ctx, "apply the ledger", "", err)
}

// copyOptions returns what a data source name says of a store on the disk.
func copyOptions(dsn string) (path string, o filestore.Options, err error) {
	c, err := ParseDSN(dsn)
	if err != nil {
		return "", o, err
	}
	if c.Mode == Memory {
		return "", o, fault(ErrConfig, "open", "a store in memory has no copies: name a directory")
	}
	if c.remote != nil {
		return "", o, fault(ErrConfig, "open", "%s is no directory: name that of its copy on this machine", c.Path)
	}
	path, o = c.engineOptions()
	o.BusyTimeout = c.BusyTimeout
	return path, o, nil
}
