package eventfold

import (
	"context"
	"errors"
	"iter"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
)

// An ImportReport tells what [Import] has done: see [filestore.ImportReport].
type ImportReport = filestore.ImportReport

// A StandbyReport tells how far a copy of a store has come: see [filestore.StandbyReport].
type StandbyReport = filestore.StandbyReport

// A SalvageReport tells what [Salvage] has saved: see [filestore.SalvageReport].
type SalvageReport = filestore.SalvageReport

// Import appends events that another store has recorded to the one that dsn names, a path or data
// source name, with their ids, times, tags and bytes, and with their positions and versions if the
// store was empty and the events come from position 0 on without gaps. It makes the store if it is
// not there. Events that are stored already are left out, so that an import that has ended half way
// is run again from its beginning; one whose id is all zeros is refused. [filestore.Import] says what
// becomes of erased events, of the source's own streams, and of times.
//
// An error that comes with an event ends the import. progress, if it is not nil, is called now and
// then. The report tells what was done also if there is an error; that stays.
func Import(
	ctx context.Context, dsn string, events iter.Seq2[Event, error], progress func(ImportReport),
) (ImportReport, error) {
	path, o, err := writeOptions(ctx, dsn)
	if err != nil {
		return ImportReport{}, err
	}
	m, err := filestore.OpenImport(path, o)
	if err != nil {
		return ImportReport{}, wrapError(ctx, "open", "", err)
	}
	defer m.Close() // also if events or progress panics
	if err := importAll(ctx, m, events, progress); err != nil {
		report := m.Report()
		return report, wrapError(ctx, "import", "", errors.Join(err, m.Close()))
	}
	report, err := m.Finish(ctx)
	return report, wrapError(ctx, "import", "", err)
}

// importProgress is after how many events progress is called.
const importProgress = 1000

func importAll(
	ctx context.Context, m *filestore.Import, events iter.Seq2[Event, error], progress func(ImportReport),
) error {
	n := 0
	for e, err := range events {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = m.Add(ctx, e)
		}
		if err != nil {
			return err
		}
		if n++; progress != nil && n%importProgress == 0 {
			progress(m.Report())
		}
	}
	return nil
}

// Copy copies a store into the directory that to names, as it is now: every event with its position,
// version, id, time and bytes, the chain and with it every receipt, and what was erased as erased. A
// copy that is there already and has had no appends of its own gets what is new, so that one that
// has ended half way is run again. from is opened for reading only, beside whoever writes to it.
// progress, if it is not nil, is called now and then.
//
// The copy is a store of the same id. See [filestore.Standby], of which it is one step.
func Copy(ctx context.Context, from, to string, progress func(StandbyReport)) (StandbyReport, error) {
	var report StandbyReport
	err := withStandby(ctx, from, to, func(s *filestore.Standby) (err error) {
		report, err = s.Catch(ctx, progress)
		return err
	})
	return report, wrapError(ctx, "copy", "", err)
}

// Replicate keeps the directory that to names a copy of the store that from names, as [Copy] makes
// it, until ctx ends; that is no error. What an append in the store has acknowledged is in the copy,
// and durable there, a few milliseconds later. Others may read the copy meanwhile, with mode=ro.
// report, if it is not nil, is called whenever the copy has caught up.
//
// To take the store's place the copy needs nothing but to be opened for writing once Replicate has
// returned, or its process has ended. From the first append to it on Replicate refuses it with a
// [*HeadError]. It returns an error, too, when the store is moved or damaged, or the disk is full;
// it can be called again then.
func Replicate(ctx context.Context, from, to string, report func(StandbyReport)) error {
	err := withStandby(ctx, from, to, func(s *filestore.Standby) error {
		err := s.Follow(ctx, func(r StandbyReport) {
			if report != nil {
				report(r)
			}
		})
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return nil // what closing the copy says counts
		}
		return err
	})
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return wrapError(ctx, "replicate", "", err)
}

// withStandby opens a store for reading and its copy, and closes both.
func withStandby(ctx context.Context, from, to string, do func(*filestore.Standby) error) error {
	path, o, err := copyOptions(from)
	if err != nil {
		return err
	}
	dir, options, err := writeOptions(ctx, to)
	if err != nil {
		return err
	}
	o.ReadOnly, o.MustExist = true, true
	source, err := filestore.Open(path, o)
	if err != nil {
		return err
	}
	defer source.Close()
	s, err := filestore.OpenStandby(ctx, source, dir, options)
	if err != nil {
		return err
	}
	defer s.Close() // also if what is called panics
	return errors.Join(do(s), s.Close())
}

// writeOptions returns what a data source name says of a store that is to be written to.
func writeOptions(ctx context.Context, dsn string) (path string, o filestore.Options, err error) {
	path, o, err = copyOptions(dsn)
	if err == nil && o.ReadOnly {
		err = wrapError(ctx, "open", "", engine.ErrReadOnly)
	}
	return path, o, err
}

// Salvage reads what can be read of the damaged store that from names, which it does not change, and
// appends it to a new store that to names: see [filestore.Salvage].
func Salvage(ctx context.Context, from, to string) (SalvageReport, error) {
	path, _, err := copyOptions(from)
	if err != nil {
		return SalvageReport{}, err
	}
	dir, o, err := writeOptions(ctx, to)
	if err != nil {
		return SalvageReport{}, err
	}
	report, err := filestore.Salvage(ctx, path, dir, o)
	return report, wrapError(ctx, "salvage", "", err)
}
