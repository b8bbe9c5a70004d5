package shred

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// A sqlState is the row of eventfold_keyring.
type sqlState struct{ epoch, next, previous string }

// change runs do in a transaction that holds the row of the keyring, so that only one is running
// in all processes, and commits it unless do fails.
func (s *SQL) change(ctx context.Context, do func(tx *sql.Tx, at sqlState) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	if _, err := tx.ExecContext(ctx, `UPDATE eventfold_keyring SET changes = changes + 1 WHERE id = 1`); err != nil {
		return err
	}
	at, err := readSQLState(ctx, tx)
	if err != nil {
		return err
	}
	if err := do(tx, at); err != nil {
		return err
	}
	return tx.Commit()
}

// readSQLState reads the row of the keyring.
func readSQLState(ctx context.Context, q interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}) (at sqlState, err error) {
	var version int
	err = q.QueryRowContext(ctx, `SELECT version, epoch, next_epoch, previous_epoch FROM eventfold_keyring
		WHERE id = 1`).Scan(&version, &at.epoch, &at.next, &at.previous)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return at, &DamagedError{Path: "eventfold_keyring", Reason: "has no keyring; Create makes one"}
	case err == nil && version != 1:
		return at, &DamagedError{Path: "eventfold_keyring", Reason: "is of a later version"}
	}
	return at, err
}

// Erase implements Keyring. Its steps are those of File: the fence, the next epoch key, all keys
// under it, the end of the epoch before. The first and the third are transactions. If a later step
// than the first fails, the error says so, and Erase, Allow and OpenSQL go on from there, in any
// process.
func (s *SQL) Erase(ctx context.Context, subject, reason string) (erased bool, err error) {
	if err := checkErase(subject, reason); err != nil {
		return false, err
	}
	if err := s.finish(ctx); err != nil {
		return false, err
	}
	for busy := true; busy; { // with an erasure that another process has begun meanwhile
		erased, busy, err = s.fence(ctx, subject, reason)
		if err != nil {
			return false, err
		}
		if err := s.finish(ctx); err != nil {
			return false, &UnfinishedError{subject, err}
		}
	}
	return erased, nil
}

// fence writes the fence. busy tells that another erasure must be finished before.
func (s *SQL) fence(ctx context.Context, subject, reason string) (erased, busy bool, err error) {
	err = s.change(ctx, func(tx *sql.Tx, at sqlState) error {
		if busy = at.next != "" || at.previous != ""; busy {
			return nil
		}
		list, err := s.rows(ctx, tx, ` AND k.subject_hash = ?`, hash(subject))
		if err != nil {
			return err
		}
		k, err := s.key(ctx, subject, list)
		if errors.Is(err, ErrForgotten) {
			return nil
		}
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, s.text(`UPDATE eventfold_keys SET forgotten_at = ?, reason = ?
			WHERE subject_hash = ? AND revision = ?`),
			s.now().UTC().Format(time.RFC3339Nano), reason, hash(subject), k.Revision)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, s.text(`UPDATE eventfold_keyring SET next_epoch = ? WHERE id = 1`), newName())
		erased = err == nil
		return err
	})
	return erased, busy, err
}

// finish takes the steps of erasures that are left, whoever has begun them.
func (s *SQL) finish(ctx context.Context) error {
	at, err := readSQLState(ctx, s.db)
	if err != nil {
		return err
	}
	if at.next != "" {
		secret, err := s.epochs.Make(ctx, at.next)
		if err != nil {
			return err
		}
		if err := s.begin(ctx, epochKey{at.next, secret}); err != nil {
			return err
		}
		if at, err = readSQLState(ctx, s.db); err != nil {
			return err
		}
	}
	if at.previous == "" {
		return nil
	}
	if err := s.epochs.Destroy(ctx, at.previous); err != nil {
		return err
	}
	_, err = s.db.ExecContext(ctx, s.text(`UPDATE eventfold_keyring SET previous_epoch = ''
		WHERE id = 1 AND previous_epoch = ?`), at.previous)
	return err
}

// begin wraps all keys under the next epoch key, without those that are fenced, in one transaction.
// It does nothing if another process has done so.
func (s *SQL) begin(ctx context.Context, next epochKey) error {
	return s.change(ctx, func(tx *sql.Tx, at sqlState) error {
		if at.next != next.name {
			return nil
		}
		e, err := s.epochKey(ctx, at.epoch)
		if err != nil {
			return err
		}
		list, err := s.rows(ctx, tx, ` AND k.wrapped <> ''`)
		if err != nil {
			return err
		}
		change, err := tx.PrepareContext(ctx, s.text(`UPDATE eventfold_keys SET wrapped = ?
			WHERE subject_hash = ? AND revision = ?`))
		if err != nil {
			return err
		}
		defer change.Close()
		for _, r := range list {
			wrapped := ""
			if r.forgottenAt == "" {
				secret, err := r.unwrap(e)
				if err != nil {
					return err
				}
				wrapped = r.wrap(next, secret)
			}
			if _, err := change.ExecContext(ctx, wrapped, r.hash, r.revision); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, s.text(`UPDATE eventfold_keyring SET epoch = ?, next_epoch = '',
			previous_epoch = ? WHERE id = 1`), next.name, at.epoch)
		return err
	})
}
