package query

import (
	"os"
	process "os/exec"
	"path/filepath"
	"testing"

	"github.com/eventfold/eventfold/internal/testenv"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestViewSaboteurs builds this package so that a rule of materialized views is broken, which the
// comparison with their definitions must notice.
func TestViewSaboteurs(t *testing.T) {
	testenv.WithoutRace(t)
	if testing.Short() {
		t.Skip("-short: compiles the package once more and runs it once for every saboteur")
	}
	binary := filepath.Join(t.TempDir(), "saboteur.test")
	out, err := process.Command("go", "test", "-c", "-tags", "saboteur", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, rule := range []string{"none", "view-batch-twice", "view-stale", "view-ahead"} {
		run := process.Command(binary, "-test.run", "^TestAMaterializedViewIsWhatItsDefinitionGives$", "-test.timeout", "5m")
		run.Env = append(os.Environ(), "EVENTFOLD_SABOTEUR="+rule, "EVENTFOLD_SEED=7", "EVENTFOLD_TORTURE=0")
		out, err := run.CombinedOutput()
		if rule == "none" {
			require.NoError(t, err, "%s", out)
			continue
		}
		assert.Error(t, err, "the comparison does not notice %s", rule)
		assert.Contains(t, string(out), "--- FAIL", rule)
	}
}
