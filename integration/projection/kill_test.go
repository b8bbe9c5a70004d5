package projection

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/internal/testenv"
)

// runChild is a runner in a process of its own, until it is killed.
func runChild(store, file string) error {
	events, err := sql.Open(eventfold.DriverName, store+"?mode=ro")
	if err != nil {
		return err
	}
	defer events.Close()
	to, err := sql.Open("sqlite", sqliteDSN(file))
	if err != nil {
		return err
	}
	defer to.Close()
	p := balances(to)
	p.Batch, p.Attempts, p.Standby = 7, 10, 100*time.Millisecond
	return eventfold.Project(context.Background(), events, p)
}

// startChild starts a runner in another process.
func startChild(t *testing.T, store, file string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "EVENTFOLD_TEST_RUNNER="+store, "EVENTFOLD_TEST_TARGET="+file)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	require.NoError(t, cmd.Start())
	return cmd
}

// TestARunnerThatIsKilledLosesNothingAndDoesNothingTwice kills runners in other processes, two of
// which run at a time, wherever they happen to be, while events are appended. The read model has a
// row for each event, which cannot be written twice, and a count, which would tell of both.
func TestARunnerThatIsKilledLosesNothingAndDoesNothingTwice(t *testing.T) {
	rnd := rand.New(rand.NewPCG(testenv.Seed(t), 7))
	kills := testenv.Scale(20, 200)
	dir := t.TempDir()
	path, file := filepath.Join(dir, "store"), filepath.Join(dir, "model.sqlite")
	store, to := openStore(t, path), openSQLite(t, file)
	p := balances(to)
	deposits := 1
	deposit(t, store, 1) // the store has to be there
	running := []*exec.Cmd{startChild(t, path, file), startChild(t, path, file)}
	kill := func(i int) {
		require.NoError(t, running[i].Process.Kill())
		_ = running[i].Wait() // it was killed
	}
	behind := 0 // kills of a runner that had something to do
	for range kills {
		n := rnd.IntN(90)
		deposit(t, store, n)
		deposits += n
		time.Sleep(time.Duration(rnd.IntN(50_000)) * time.Microsecond)
		i := rnd.IntN(len(running))
		kill(i)
		running[i] = startChild(t, path, file)
		if ask[int](t, to, `SELECT COUNT(*) FROM sqlite_master WHERE name = 'seen'`) == 0 ||
			ask[int](t, to, `SELECT COUNT(*) FROM seen`) < deposits {
			behind++
		}
	}
	last := deposit(t, store, 5)
	deposits += 5
	wait(t, store, p, last)
	for i := range running {
		kill(i)
	}
	assert.Equal(t, deposits, ask[int](t, to, `SELECT COUNT(*) FROM seen`), "events that are in the read model")
	assert.Equal(t, deposits, ask[int](t, to, `SELECT SUM(amount) FROM balance`), "how often they were counted")
	assert.Equal(t, 0, ask[int](t, to, `SELECT COUNT(*) FROM seen WHERE replay = 1`))
	assert.Equal(t, "live", status(t, to, 1).State(), "it was never stopped by an event that came twice")
	t.Logf("%d kills, %d of them while events waited, %d events", kills, behind, deposits)
}
