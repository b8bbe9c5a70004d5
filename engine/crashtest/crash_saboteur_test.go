package crashtest_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/internal/testenv"
)

// saboteurs are the rules of the store that a build with the tag saboteur can break, with the test
// that must notice it. The quick ones are tried in every run.
var saboteurs = []struct {
	rule  string
	test  string
	quick bool
}{
	{"skip-previous-crc", "TestDamageThatFits", true},
	{"no-fdatasync", "TestCrashAnywhere", true},
	{"no-dir-fsync", "TestCrashAnywhere", true},
	{"header-after-rename", "TestCrashAnywhere", true},
	{"tail-before-fdatasync", "TestCrashAnywhere", true},
	{"ack-before-fdatasync", "TestCrashAnywhere", true},
	{"publish-before-fdatasync", "TestCrashAnywhere", true},
	{"skip-place-seed", "TestDamageThatFits", true},
	{"no-zeroing-of-torn-tail", "TestCrashAnywhere", true},
	{"continue-in-place", "TestFailedSyncs", true},
	{"retry-fsync", "TestFailedSyncs", true},
	{"seal-before-successor", "TestCrashAnywhere", false},
	{"idx-without-crc", "TestDamagedFiles", false},
	{"length-not-bounded", insideTest, true},
	{"undo-forgotten", "TestDiskFull", true},
	{"erase-keeps-old-generation", "TestCrashWhileErasing", true},
	{"erase-forgets-torn", "TestErasedBytesThatACrashHasLeft", true},
	{"erase-forgets-derived", "TestCrashWhileDeriving", true},
	{"erase-done-too-early", "TestCrashWhileErasing", true},
}

// The tests are tested (T13): one binary is built in which each rule of the store can be broken,
// and the named test fails in it just then.
func TestSaboteurs(t *testing.T) {
	testenv.WithoutRace(t)
	if testing.Short() {
		t.Skip("-short: compiles the package once more and runs it once for every saboteur")
	}
	binary, inside := buildSaboteurs(t, "."), buildSaboteurs(t, "../filestore")
	var honest []string
	caught, tried := 0, 0
	for _, s := range saboteurs {
		if !s.quick && !testenv.Long() {
			continue
		}
		tried++
		from := binary
		if s.test == insideTest {
			from = inside
		}
		out, err := runSaboteur(from, s.rule, s.test)
		if assert.Error(t, err, "%s does not notice %s:\n%s", s.test, s.rule, out) &&
			assert.True(t, strings.Contains(out, "--- FAIL: "+s.test) ||
				strings.Contains(out, "panic: "), "%s ended otherwise:\n%s", s.rule, out) &&
			assert.NotContains(t, out, "panic: test timed out", "%s", s.rule) {
			caught++
		}
		if s.test != insideTest && (testenv.Long() || len(honest) == 0) { // the ordinary build runs them all
			honest = append(honest, s.test)
		}
	}
	text, err := runSaboteur(binary, "none", strings.Join(honest, "|"))
	assert.NoError(t, err, "without sabotage:\n%s", text)
	assert.Contains(t, text, "PASS")
	report(t, "T13", fmt.Sprintf("%d of %d saboteurs caught", caught, tried))
}

// insideTest is the one test that stands beside what it tests.
const insideTest = "TestLengthIsComparedWithTheFile"

// buildSaboteurs builds the tests of a package so that rules can be broken, and returns the file.
func buildSaboteurs(t *testing.T, dir string) string {
	binary := filepath.Join(t.TempDir(), "saboteur.test")
	out, err := exec.Command("go", "test", "-c", "-tags", "saboteur", "-o", binary, dir).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return binary
}

// runSaboteur runs tests of the binary with a rule broken.
func runSaboteur(binary, rule, tests string) (string, error) {
	run := exec.Command(binary, "-test.run", "^("+tests+")$", "-test.timeout", "5m")
	run.Env = append(os.Environ(), "EVENTFOLD_SABOTEUR="+rule, "EVENTFOLD_SEED=7", "EVENTFOLD_TORTURE=0",
		"EVENTFOLD_REPORT=")
	out, err := run.CombinedOutput()
	return string(out), err
}
