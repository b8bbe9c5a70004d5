package shred

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/crashtest"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/testenv"
)

const crashKeys, crashEpochs = "/safe/keys", "/other/epochs"

func openCrashSafe(fsys vfs.FS, create bool) (*File, error) {
	e, err := openEpochFiles(fsys, crashEpochs, "")
	if err != nil {
		return nil, err
	}
	return openFile(testContext, fsys, FileOptions{Dir: crashKeys, Epochs: e, Create: create})
}

func crashSafe(t *testing.T) (*File, *crashtest.FS) {
	t.Helper()
	fsys := crashtest.New()
	require.NoError(t, errors.Join(fsys.MkdirAll("/safe"), fsys.MkdirAll("/other"), fsys.SyncDir("/")))
	f, err := openCrashSafe(fsys, true)
	require.NoError(t, err)
	return f, fsys
}

func reopenCrashSafe(t *testing.T, fsys *crashtest.FS) *File {
	t.Helper()
	f, err := openCrashSafe(fsys, false)
	require.NoError(t, err)
	return f
}

// A promise is what a keyring has told its callers so far.
type promise struct {
	keys   map[string]Key    // that were returned, the last ones
	erased map[string]int    // the revisions that Erase has said are destroyed
	doing  string            // the subject of an Erase or Allow that has not returned
	dead   map[string][]byte // copies of KEYS, by name, that may not open any more
}

func (p promise) clone() promise {
	q := promise{map[string]Key{}, map[string]int{}, p.doing, map[string][]byte{}}
	for s, k := range p.keys {
		q.keys[s] = k
	}
	for s, r := range p.erased {
		q.erased[s] = r
	}
	for s, b := range p.dead {
		q.dead[s] = b
	}
	return q
}

// A cut is a moment at which the machine stops.
type cut struct {
	fs   *crashtest.FS
	told promise
	call string
}

// erasures runs a life of a keyring and returns all moments of it.
func erasures(t *testing.T) (cuts []cut) {
	f, fsys := crashSafe(t)
	told := promise{keys: map[string]Key{}, erased: map[string]int{}, dead: map[string][]byte{}}
	fsys.Before(func(c crashtest.Call) {
		cuts = append(cuts, cut{fsys.Clone(), told.clone(), fmt.Sprint(c)})
	})
	get := func(subject string) {
		told.keys[subject] = mustKey(t, f, subject)
	}
	erase := func(subject string) {
		old, err := fsys.ReadFile(path.Join(crashKeys, keysName))
		require.NoError(t, err)
		told.doing = subject
		mustErase(t, f, subject, "reason")
		told.doing = ""
		told.erased[subject] = told.keys[subject].Revision
		told.dead[fmt.Sprint(len(told.dead))] = old
	}
	allow := func(subject string) {
		told.doing = subject
		require.NoError(t, f.Allow(t.Context(), subject))
		told.doing = ""
		delete(told.erased, subject)
		get(subject)
	}
	get("a")
	get("b")
	erase("a")
	get("c")
	allow("a")
	erase("b")
	erase("a")
	require.NoError(t, f.Close())
	fsys.Before(nil)
	return append(cuts, cut{fsys.Clone(), told.clone(), "end"})
}

func TestACrashLosesNoKeyAndBringsNoneBack(t *testing.T) {
	cuts := erasures(t)
	require.Greater(t, len(cuts), 40)
	r := rand.New(rand.NewPCG(testenv.Seed(t), 1))
	limit := uint64(testenv.Scale(40, 2000))
	states := 0
	for _, c := range cuts {
		for _, mode := range []crashtest.Mode{{}, {Ordered: true}, {Garbled: true}} {
			crashes := c.fs.Crashes(mode)
			if !mode.Garbled && crashes.Count() <= limit {
				for fsys := range crashes.All() {
					states++
					checkCrash(t, fsys, c, r)
				}
				continue
			}
			for range min(limit, crashes.Count()) {
				states++
				checkCrash(t, crashes.Sample(r), c, r)
			}
		}
	}
	t.Logf("%d moments, %d states", len(cuts), states)
}

// checkCrash opens the keyring in one state, cuts the power once more, and holds what was promised.
func checkCrash(t *testing.T, fsys *crashtest.FS, c cut, r *rand.Rand) {
	t.Helper()
	var again []*crashtest.FS
	fsys.Before(func(crashtest.Call) { again = append(again, fsys.Clone()) })
	holdPromise(t, fsys, c)
	fsys.Before(nil)
	if len(again) == 0 || r.IntN(8) > 0 {
		return
	}
	second := again[r.IntN(len(again))].Crashes(crashtest.Mode{Ordered: r.IntN(2) == 0})
	holdPromise(t, second.Sample(r), c)
}

func holdPromise(t *testing.T, fsys *crashtest.FS, c cut) {
	t.Helper()
	f, err := openCrashSafe(fsys, false)
	require.NoError(t, err, c.call)
	for subject, want := range c.told.keys {
		k, err := f.Key(testContext, subject, false)
		gone := errors.Is(err, ErrForgotten)
		switch revision, erased := c.told.erased[subject]; {
		case subject == c.told.doing:
			require.True(t, gone || err == nil, "%s: %v", c.call, err)
			require.False(t, err == nil && k.Revision == want.Revision && k.Secret != want.Secret)
		case erased:
			require.True(t, gone, "%s: %q is back: %v", c.call, subject, err)
			var facts *ForgottenError
			require.ErrorAs(t, err, &facts)
			require.Equal(t, revision, facts.Revision)
			require.Equal(t, fingerprint(want.Secret), facts.Fingerprint)
		default:
			require.NoError(t, err, c.call)
			require.Equal(t, want.Secret, k.Secret, c.call)
		}
	}
	_, err = f.Key(testContext, "new", true)
	require.NoError(t, err, c.call)
	require.Empty(t, f.state.next+f.state.previous, "nothing is left to be finished")
	require.NoError(t, f.Close())
	names, err := fsys.List(crashKeys)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{keysName, keysLock}, names, c.call)
	for _, old := range c.told.dead {
		copied := fsys.Clone()
		require.NoError(t, copied.WriteFile(path.Join(crashKeys, keysName), old))
		_, err = openCrashSafe(copied, false)
		require.ErrorIs(t, err, ErrNoEpoch, "%s: an old copy opens", c.call)
	}
}
