package integration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/shred"
)

// A safe is a database with a keyring, and the directory of its epoch keys.
type safe struct{ file, epochs string }

func newSafe(t *testing.T) safe {
	dir := t.TempDir()
	return safe{filepath.Join(dir, "keys.db"), filepath.Join(dir, "epochs")}
}

func (s safe) db(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", s.file+"?_pragma=busy_timeout(20000)")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

func (s safe) files(t *testing.T) *shred.EpochFiles {
	t.Helper()
	e, err := shred.OpenEpochFiles(s.epochs, "")
	require.NoError(t, err)
	return e
}

func (s safe) open(t *testing.T, o shred.SQLOptions) *shred.SQL {
	t.Helper()
	o.DB, o.Create = s.db(t), true
	if o.Epochs == nil {
		o.Epochs = s.files(t)
	}
	keys, err := shred.OpenSQL(t.Context(), o)
	require.NoError(t, err)
	return keys
}

func key(t *testing.T, keys shred.Keyring, subject string) shred.Key {
	t.Helper()
	k, err := keys.Key(t.Context(), subject, true)
	require.NoError(t, err)
	return k
}

// TestKeyringInADatabase is the contract of a keyring, with both kinds of placeholders, for two
// connections that know nothing of each other.
func TestKeyringInADatabase(t *testing.T) {
	for _, dollar := range []bool{false, true} {
		s := newSafe(t)
		one := s.open(t, shred.SQLOptions{Dollar: dollar})
		two := s.open(t, shred.SQLOptions{Dollar: dollar})
		ctx := t.Context()
		_, err := one.Key(ctx, "a", false)
		require.ErrorIs(t, err, shred.ErrNoKey)
		_, err = one.Erase(ctx, "a", "")
		require.ErrorIs(t, err, shred.ErrNoKey)
		require.ErrorIs(t, one.Allow(ctx, "a"), shred.ErrNoKey)
		a, other, odd := key(t, one, "a"), key(t, two, "A"), key(t, one, "a ' ? $1 \" ü ")
		assert.NotEqual(t, a.Secret, other.Secret)
		assert.Equal(t, a, key(t, two, "a"))
		require.NoError(t, one.Allow(ctx, "a"))

		erased, err := one.Erase(ctx, "a", "Art. 17, 'ticket' ?")
		require.NoError(t, err)
		assert.True(t, erased)
		for _, keys := range []*shred.SQL{one, two} {
			_, err = keys.Key(ctx, "a", true)
			var facts *shred.ForgottenError
			require.ErrorAs(t, err, &facts)
			assert.Equal(t, 1, facts.Revision)
			assert.Equal(t, "Art. 17, 'ticket' ?", facts.Reason)
			assert.False(t, facts.At.IsZero())
			assert.Equal(t, other, key(t, keys, "A"))
			assert.Equal(t, odd, key(t, keys, "a ' ? $1 \" ü "))
		}
		erased, err = two.Erase(ctx, "a", "")
		require.NoError(t, err)
		assert.False(t, erased)
		require.NoError(t, two.Allow(ctx, "a"))
		second := key(t, one, "a")
		assert.Equal(t, 2, second.Revision)
		assert.NotEqual(t, a.Secret, second.Secret)
		assert.Len(t, second.Fences, 1)
		_, err = two.Erase(ctx, "a", "")
		require.NoError(t, err)
		_, err = one.Key(ctx, "a", false)
		require.ErrorIs(t, err, shred.ErrForgotten)
		entries, err := os.ReadDir(s.epochs)
		require.NoError(t, err)
		assert.Len(t, entries, 1, "one epoch key is left")
	}
}

func TestManyMakeAndEraseKeysInADatabaseAtOnce(t *testing.T) {
	s := newSafe(t)
	rings := []*shred.SQL{s.open(t, shred.SQLOptions{}), s.open(t, shred.SQLOptions{}), s.open(t, shred.SQLOptions{})}
	const subjects = 8
	secrets := make([][subjects]shred.Key, len(rings))
	erased := make([]bool, len(rings))
	key(t, rings[0], "victim")
	var wg sync.WaitGroup
	for i, keys := range rings {
		wg.Go(func() {
			for n := range subjects {
				k, err := keys.Key(t.Context(), fmt.Sprint(n), true)
				assert.NoError(t, err)
				secrets[i][n] = k
				if n == subjects/2 {
					erased[i], err = keys.Erase(t.Context(), "victim", "")
					assert.NoError(t, err)
					_, err = keys.Erase(t.Context(), fmt.Sprint("own-", i), "")
					assert.ErrorIs(t, err, shred.ErrNoKey)
				}
			}
		})
	}
	wg.Wait()
	n := 0
	for i := range rings {
		assert.Equal(t, secrets[0], secrets[i])
		if erased[i] {
			n++
		}
	}
	assert.Equal(t, 1, n, "one of them has erased it")
	fresh := s.open(t, shred.SQLOptions{})
	for i := range subjects {
		assert.Equal(t, secrets[0][i], key(t, fresh, fmt.Sprint(i)))
	}
}

func TestAnOldBackupOfADatabaseOfKeysIsDead(t *testing.T) {
	s := newSafe(t)
	keys := s.open(t, shred.SQLOptions{})
	a := key(t, keys, "a")
	db := s.db(t)
	var wrapped string
	require.NoError(t, db.QueryRow(`SELECT wrapped FROM eventfold_keys WHERE subject = 'a'`).Scan(&wrapped))
	old := filepath.Join(t.TempDir(), "old.db")
	_, err := db.Exec(`VACUUM INTO ?`, old)
	require.NoError(t, err)
	_, err = keys.Erase(t.Context(), "a", "")
	require.NoError(t, err)

	_, err = shred.OpenSQL(t.Context(), shred.SQLOptions{DB: safe{old, s.epochs}.db(t), Epochs: s.files(t)})
	require.ErrorIs(t, err, shred.ErrNoEpoch)

	// One row of the backup in the database of today.
	_, err = db.Exec(`UPDATE eventfold_keys SET forgotten_at = '', wrapped = ? WHERE subject = 'a'`, wrapped)
	require.NoError(t, err)
	_, err = keys.Key(t.Context(), "a", true)
	require.ErrorAs(t, err, new(*shred.DamagedError))
	text, err := os.ReadFile(s.file)
	require.NoError(t, err)
	assert.NotContains(t, string(text), string(a.Secret[:]))
	assert.NotContains(t, strings.ToLower(string(text)), fmt.Sprintf("%x", a.Secret))
}

// failing are epoch keys whose service is down.
type failing struct {
	shred.EpochKeys
	make, destroy error
}

func (f *failing) Make(ctx context.Context, epoch string) ([32]byte, error) {
	if f.make != nil {
		return [32]byte{}, f.make
	}
	return f.EpochKeys.Make(ctx, epoch)
}

func (f *failing) Destroy(ctx context.Context, epoch string) error {
	if f.destroy != nil {
		return f.destroy
	}
	return f.EpochKeys.Destroy(ctx, epoch)
}

func TestAnErasureInADatabaseThatWasHeldUpIsFinishedByAnother(t *testing.T) {
	s := newSafe(t)
	epochs := &failing{EpochKeys: s.files(t)}
	keys := s.open(t, shred.SQLOptions{Epochs: epochs})
	down := errors.New("the KMS is down")
	for i, at := range []*error{&epochs.make, &epochs.destroy} {
		subject, other := fmt.Sprint("subject-", i), fmt.Sprint("other-", i)
		key(t, keys, subject)
		old := filepath.Join(t.TempDir(), "old.db")
		_, err := s.db(t).Exec(`VACUUM INTO ?`, old)
		require.NoError(t, err)
		*at = down
		_, err = keys.Erase(t.Context(), subject, "")
		require.ErrorIs(t, err, down)
		_, err = keys.Key(t.Context(), subject, true)
		require.ErrorIs(t, err, shred.ErrForgotten)
		made := key(t, keys, other)
		_, err = keys.Erase(t.Context(), other, "")
		require.ErrorIs(t, err, down)
		*at = nil
		fresh := s.open(t, shred.SQLOptions{})
		assert.Equal(t, made, key(t, fresh, other))
		_, err = shred.OpenSQL(t.Context(), shred.SQLOptions{DB: safe{old, s.epochs}.db(t), Epochs: s.files(t)})
		require.ErrorIs(t, err, shred.ErrNoEpoch)
	}
}

func TestADatabaseWithoutAKeyringIsSaidToHaveNone(t *testing.T) {
	s := newSafe(t)
	db := s.db(t)
	_, err := shred.OpenSQL(t.Context(), shred.SQLOptions{DB: db, Epochs: s.files(t)})
	require.Error(t, err)
	s.open(t, shred.SQLOptions{})
	_, err = db.Exec(`UPDATE eventfold_keyring SET version = 2`)
	require.NoError(t, err)
	_, err = shred.OpenSQL(t.Context(), shred.SQLOptions{DB: db, Epochs: s.files(t)})
	require.ErrorAs(t, err, new(*shred.DamagedError))
	_, err = db.Exec(`DELETE FROM eventfold_keyring`)
	require.NoError(t, err)
	_, err = shred.OpenSQL(t.Context(), shred.SQLOptions{DB: db, Epochs: s.files(t)})
	require.ErrorAs(t, err, new(*shred.DamagedError))
}
