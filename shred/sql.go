package shred

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// A SQL is a keyring in two tables of a database of yours, for any number of processes and subjects:
//
//	eventfold_keyring   one row: which epoch it is of
//	eventfold_keys      a row for each revision of each subject's key, wrapped
//
// Subjects stand there in plain text. The database need not be trusted to forget: its logs, its
// replicas and its backups hold keys that an epoch key opens which is destroyed. Do not keep epoch
// keys in the same database.
//
// Making and erasing keys is serialised by the row of eventfold_keyring. Key asks the database each
// time, so that what another process has erased is not used any more; opening many values costs one
// query each. Erase wraps all keys anew: its transaction updates every row, which for a million
// subjects takes a minute or so, in which no keys are made.
//
// It needs transactions, and a database that gives UPDATE a lock on the rows that it has changed
// until the transaction ends: PostgreSQL, MySQL with InnoDB, SQLite.
type SQL struct {
	db     *sql.DB
	epochs EpochKeys
	dollar bool
	now    func() time.Time

	mu    sync.Mutex // protects epoch
	epoch epochKey   // the one that was used last
}

// SQLOptions say how a keyring in a database is opened.
type SQLOptions struct {
	DB     *sql.DB   // stays yours: who opened it closes it, after the keyring's last call
	Epochs EpochKeys // those of this keyring alone
	Dollar bool      // the database's parameters are $1, $2 and so on; otherwise they are ?
	// Create makes the tables, and the keyring in them, if they are not there. A program that has a
	// keyring already leaves it out, as with FileOptions.
	Create bool
}

// sqlTables make the tables. The columns are such as every database has.
var sqlTables = []string{
	`CREATE TABLE IF NOT EXISTS eventfold_keyring (
		id INTEGER NOT NULL PRIMARY KEY, version INTEGER NOT NULL, changes BIGINT NOT NULL,
		epoch VARCHAR(32) NOT NULL, next_epoch VARCHAR(32) NOT NULL, previous_epoch VARCHAR(32) NOT NULL)`,
	`CREATE TABLE IF NOT EXISTS eventfold_keys (
		subject_hash VARCHAR(64) NOT NULL, revision INTEGER NOT NULL, subject VARCHAR(255) NOT NULL,
		wrapped VARCHAR(100) NOT NULL, fingerprint VARCHAR(16) NOT NULL, forgotten_at VARCHAR(40) NOT NULL,
		reason VARCHAR(1000) NOT NULL, PRIMARY KEY (subject_hash, revision))`,
}

// OpenSQL opens a keyring in a database, and finishes an erasure that was interrupted. A keyring that
// is an old copy, from before an erasure, is an [*EpochError].
func OpenSQL(ctx context.Context, o SQLOptions) (*SQL, error) {
	if o.DB == nil || o.Epochs == nil {
		return nil, &ArgumentError{What: "field DB or Epochs", Reason: "is missing"}
	}
	s := &SQL{db: o.DB, epochs: o.Epochs, dollar: o.Dollar, now: time.Now}
	if o.Create {
		if err := s.create(ctx); err != nil {
			return nil, err
		}
	}
	if err := s.finish(ctx); err != nil {
		return nil, err
	}
	return s, s.check(ctx)
}

// check refuses a keyring whose epoch key is not there: an old copy.
func (s *SQL) check(ctx context.Context) error {
	for again := true; ; again = false {
		at, err := readSQLState(ctx, s.db)
		if err == nil {
			_, err = s.epochKey(ctx, at.epoch)
		}
		if !again || !errors.Is(err, ErrNoEpoch) { // which an erasure meanwhile may be the reason of
			return err
		}
	}
}

// create makes the tables and the row of the keyring. Two processes may do so at once: the row has
// one key.
func (s *SQL) create(ctx context.Context) error {
	for _, text := range sqlTables {
		if _, err := s.db.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	var n int
	err := s.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM eventfold_keyring`).Scan(&n)
	if err != nil || n > 0 {
		return err
	}
	epoch := newName()
	if _, err := s.epochs.Make(ctx, epoch); err != nil {
		return err
	}
	_, err = s.db.ExecContext(ctx, s.text(`INSERT INTO eventfold_keyring
		(id, version, changes, epoch, next_epoch, previous_epoch) VALUES (1, 1, 0, ?, '', '')`), epoch)
	if err == nil {
		return nil
	}
	if again := s.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM eventfold_keyring`).Scan(&n); again == nil && n > 0 {
		return s.epochs.Destroy(ctx, epoch) // another process was faster
	}
	return err
}

// text gives a statement the placeholders of the database.
func (s *SQL) text(statement string) string {
	if !s.dollar {
		return statement
	}
	var b strings.Builder
	n := 0
	for part := range strings.SplitSeq(statement, "?") {
		if n > 0 {
			fmt.Fprintf(&b, "$%d", n)
		}
		b.WriteString(part)
		n++
	}
	return b.String()
}

// hash is what a subject is found by, whatever the database thinks of letters and blanks.
func hash(subject string) string {
	sum := sha256.Sum256([]byte(subject))
	return hex.EncodeToString(sum[:])
}

// A queryer is a database or a transaction.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// A sqlRow is a row of eventfold_keys, with the epoch that it was read in.
type sqlRow struct {
	epoch, hash, subject, wrapped, fingerprint, forgottenAt, reason string
	revision                                                        int
}

// selectKeys reads rows. The epoch comes with them, from the same moment.
const selectKeys = `SELECT r.epoch, k.subject_hash, k.subject, k.revision, k.wrapped, k.fingerprint,
	k.forgotten_at, k.reason FROM eventfold_keys k, eventfold_keyring r WHERE r.id = 1`

func (s *SQL) rows(ctx context.Context, q queryer, where string, args ...any) (list []sqlRow, err error) {
	rows, err := q.QueryContext(ctx, s.text(selectKeys+where+` ORDER BY k.subject_hash, k.revision`), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r sqlRow
		err := rows.Scan(&r.epoch, &r.hash, &r.subject, &r.revision, &r.wrapped, &r.fingerprint,
			&r.forgottenAt, &r.reason)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// fence returns what a row says of an erasure.
func (r sqlRow) fence() (Fence, error) {
	at, err := time.Parse(time.RFC3339Nano, r.forgottenAt)
	if err != nil {
		return Fence{}, r.damaged()
	}
	return Fence{r.subject, r.revision, r.fingerprint, at, r.reason}, nil
}

func (r sqlRow) damaged() error {
	return &DamagedError{Path: fmt.Sprintf("the row of %q, revision %d, in eventfold_keys", r.subject, r.revision),
		Reason: "is not what was written with this epoch key"}
}

// bound is what is authenticated beside a wrapped key.
func (r sqlRow) bound(epoch string) []byte {
	return bind("EVFSQLKEY1", uint64(r.revision), epoch, r.subject)
}

// wrap encrypts a key.
func (r sqlRow) wrap(e epochKey, secret [keySize]byte) string {
	return encode(encrypt(e.secret, secret[:], r.bound(e.name)))
}

// unwrap decrypts the key of a row.
func (r sqlRow) unwrap(e epochKey) (secret [keySize]byte, err error) {
	b, err := decode(r.wrapped)
	if err != nil || len(b) != wrappedSize {
		return secret, r.damaged()
	}
	plain, ok := decrypt(e.secret, b, r.bound(e.name))
	if !ok || copy(secret[:], plain) != keySize || fingerprint(secret) != r.fingerprint {
		return secret, r.damaged()
	}
	return secret, nil
}

// key returns what the rows of one subject say.
func (s *SQL) key(ctx context.Context, subject string, list []sqlRow) (Key, error) {
	known := &subjectKeys{}
	for i, r := range list {
		if r.subject != subject || r.revision != i+1 {
			return Key{}, r.damaged()
		}
		known.revision = r.revision
		if r.forgottenAt != "" {
			fence, err := r.fence()
			if err != nil {
				return Key{}, err
			}
			known.fences = append(known.fences, fence)
			continue
		}
		if i != len(list)-1 {
			return Key{}, r.damaged()
		}
		e, err := s.epochKey(ctx, r.epoch)
		if err != nil {
			return Key{}, err
		}
		if known.secret, err = r.unwrap(e); err != nil {
			return Key{}, err
		}
	}
	if known.revision == 0 {
		return Key{}, &NoKeyError{Subject: subject}
	}
	return known.key(subject)
}

// epochKey returns the key of an epoch.
func (s *SQL) epochKey(ctx context.Context, name string) (epochKey, error) {
	s.mu.Lock()
	e := s.epoch
	s.mu.Unlock()
	if e.name == name {
		return e, nil
	}
	secret, err := s.epochs.Get(ctx, name)
	if err != nil {
		if errors.Is(err, ErrNoEpoch) {
			err = &EpochError{Epoch: name, Keyring: "eventfold_keyring"}
		}
		return epochKey{}, err
	}
	e = epochKey{name, secret}
	s.mu.Lock()
	s.epoch = e
	s.mu.Unlock()
	return e, nil
}

// Key implements Keyring.
func (s *SQL) Key(ctx context.Context, subject string, create bool) (Key, error) {
	if err := errors.Join(ctx.Err(), checkSubject(subject)); err != nil {
		return Key{}, err
	}
	k, err := s.look(ctx, subject)
	if errors.Is(err, ErrNoEpoch) { // an erasure may have ended the epoch behind the query
		k, err = s.look(ctx, subject)
	}
	if !create || !errors.Is(err, ErrNoKey) {
		return k, err
	}
	err = s.change(ctx, func(tx *sql.Tx, at sqlState) error {
		k, err = s.addTo(ctx, tx, at, subject, func(err error) bool { return errors.Is(err, ErrNoKey) })
		return err
	})
	if err != nil {
		return Key{}, err
	}
	return k, nil
}

// look reads the key of a subject.
func (s *SQL) look(ctx context.Context, subject string) (Key, error) {
	list, err := s.rows(ctx, s.db, ` AND k.subject_hash = ?`, hash(subject))
	if err != nil {
		return Key{}, err
	}
	return s.key(ctx, subject, list)
}

// addTo returns the key of a subject. If that fails in the way that is given, it makes the next
// one.
func (s *SQL) addTo(
	ctx context.Context, tx *sql.Tx, at sqlState, subject string, makes func(error) bool,
) (Key, error) {
	list, err := s.rows(ctx, tx, ` AND k.subject_hash = ?`, hash(subject))
	if err != nil {
		return Key{}, err
	}
	k, err := s.key(ctx, subject, list)
	if !makes(err) {
		return k, err
	}
	e, err := s.epochKey(ctx, at.epoch)
	if err != nil {
		return Key{}, err
	}
	secret := newSecret()
	r := sqlRow{hash: hash(subject), subject: subject, revision: len(list) + 1, fingerprint: fingerprint(secret)}
	_, err = tx.ExecContext(ctx, s.text(`INSERT INTO eventfold_keys (subject_hash, revision, subject, wrapped,
		fingerprint, forgotten_at, reason) VALUES (?, ?, ?, ?, ?, '', '')`),
		r.hash, r.revision, r.subject, r.wrap(e, secret), r.fingerprint)
	if err != nil {
		return Key{}, err
	}
	k = Key{Subject: subject, Revision: r.revision, Secret: secret}
	for _, row := range list {
		fence, err := row.fence()
		if err != nil {
			return Key{}, err
		}
		k.Fences = append(k.Fences, fence)
	}
	return k, nil
}

// Allow implements Keyring.
func (s *SQL) Allow(ctx context.Context, subject string) error {
	if err := checkPerson(subject); err != nil {
		return err
	}
	if err := s.finish(ctx); err != nil {
		return err
	}
	return s.change(ctx, func(tx *sql.Tx, at sqlState) error {
		_, err := s.addTo(ctx, tx, at, subject, func(err error) bool { return errors.Is(err, ErrForgotten) })
		return err
	})
}
