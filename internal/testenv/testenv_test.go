package testenv

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = "../.."

// TestContributingTellsOfEveryVariable compares the table for people with the one that is read.
func TestContributingTellsOfEveryVariable(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "CONTRIBUTING.md"))
	require.NoError(t, err)
	row := regexp.MustCompile("(?m)^\\| `(EVENTFOLD_[A-Z_]+)`.*$")
	var want []string
	for _, v := range Variables {
		want = append(want, fmt.Sprintf("| `%s` | %s | %s |", v.Name, v.ReadBy, v.Meaning))
	}
	assert.Equal(t, want, row.FindAllString(string(text), -1))
}

// readsItself are the files that read a variable without this package: it must not be a part of
// what they are.
var readsItself = regexp.MustCompile(`/sabotage[^/]*/?.*\.go$|/\.ci/run$|internal/testenv/`)

// forUsers are the variables that the command line obeys: those that docs/cli.md tells of.
func forUsers(t *testing.T) map[string]bool {
	text, err := os.ReadFile(filepath.Join(root, "docs", "cli.md"))
	require.NoError(t, err)
	told := map[string]bool{}
	for _, name := range variable.FindAllString(string(text), -1) {
		told[name] = true
	}
	require.NotEmpty(t, told)
	return told
}

var variable = regexp.MustCompile(`EVENTFOLD_[A-Z_]*[A-Z]`)

// TestEveryVariableIsKnownAndUsed holds that no test reads a variable by itself, and that what the
// code names is in the table, and the other way round.
func TestEveryVariableIsKnownAndUsed(t *testing.T) {
	users := forUsers(t)
	reads := regexp.MustCompile(`os\.(Getenv|LookupEnv)\("?EVENTFOLD_`)
	used := map[string]bool{}
	for path, text := range sources(t) {
		if reads.MatchString(text) {
			assert.Regexp(t, readsItself, path, "it reads a variable without package testenv")
		}
		for _, n := range variable.FindAllString(text, -1) {
			used[n] = used[n] || !strings.Contains(path, "internal/testenv/")
			known := users[n] || slices.ContainsFunc(Variables, func(v Variable) bool { return v.Name == n })
			assert.True(t, known || strings.HasPrefix(n+"_", ChildPrefix), "%s of %s is in no table", n, path)
		}
	}
	for _, v := range Variables {
		assert.True(t, used[v.Name], "nothing reads %s", v.Name)
	}
}

// sources are the files of all modules in which a variable may be read.
func sources(t *testing.T) map[string]string {
	files := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata"):
			return filepath.SkipDir
		case d.IsDir():
			return nil
		}
		script := strings.HasSuffix(path, ".sh") || strings.Contains(filepath.ToSlash(path), "/.ci/")
		if !script && !strings.HasSuffix(path, ".go") {
			return nil
		}
		text, err := os.ReadFile(path)
		files[filepath.ToSlash(path)] = string(text)
		return err
	})
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

// TestAnUnknownVariableIsNoticed: what is not in the table cannot be read.
func TestAnUnknownVariableIsNoticed(t *testing.T) {
	assert.Panics(t, func() { Get("EVENTFOLD_" + "NOTHING") })
	t.Setenv(ChildPrefix+"X", "1")
	assert.Equal(t, "1", Get(ChildPrefix+"X"))
}

// TestTheSeedIsTaken: a failing run can be repeated.
func TestTheSeedIsTaken(t *testing.T) {
	t.Setenv("EVENTFOLD_SEED", "17")
	assert.Equal(t, uint64(17), Seed(t))
	assert.Equal(t, uint64(17), Seed(t), "again")
	t.Setenv("EVENTFOLD_IMAGES", "")
	assert.Equal(t, 5, Number(t, "EVENTFOLD_IMAGES", 5))
	t.Setenv("EVENTFOLD_IMAGES", "7")
	assert.Equal(t, 7, Number(t, "EVENTFOLD_IMAGES", 5))
}

// TestARunWithoutASeedIsTheSameAgain: nothing fails by luck unless somebody asks for it.
func TestARunWithoutASeedIsTheSameAgain(t *testing.T) {
	t.Setenv("EVENTFOLD_TORTURE", "0")
	t.Setenv("EVENTFOLD_SEED", "")
	first := Seed(t)
	assert.Contains(t, seeds, first)
	assert.Equal(t, first, Seed(t))
	t.Setenv("EVENTFOLD_SEED", "random")
	assert.NotEqual(t, Seed(t), Seed(t))
	t.Setenv("EVENTFOLD_SEED", "")
	t.Setenv("EVENTFOLD_TORTURE", "0.5")
	assert.NotEqual(t, Seed(t), Seed(t), "the long variants look for faults")
}

// TestNoTestMakesASeedByItself holds that random numbers of tests begin with Seed or a constant.
func TestNoTestMakesASeedByItself(t *testing.T) {
	lucky := regexp.MustCompile(`rand\.(Uint|Int|Perm|Shuffle|Float|N\()|NewSource\(time|rapid\.Check\(|seed.*time\.Now`)
	tests := regexp.MustCompile(`_test\.go$|/(enginetest|crashtest|indextest|valuetest)/`)
	for path, text := range sources(t) {
		if tests.MatchString(path) && !mayBeLucky[path] {
			assert.Empty(t, lucky.FindString(text), "%s: take testenv.Seed, and rapid through checkRapid", path)
		}
	}
}

// mayBeLucky are the files that hold the exceptions.
var mayBeLucky = map[string]bool{
	"../../integration/rapid_test.go":        true,
	"../../internal/testenv/testenv_test.go": true,
}
