package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTheProgramOfTheReadmeDoesWhatItSays does what a newcomer does: a module of its own, the program
// in main.go, built and run twice.
func TestTheProgramOfTheReadmeDoesWhatItSays(t *testing.T) {
	programs, _ := blocks(t, "../README.md", "go")
	require.Len(t, programs, 1)
	said := regexp.MustCompile("(?s)`go run \\.` prints\n\n```\n(.*?)```").FindStringSubmatch(read(t, "../README.md"))
	require.NotNil(t, said)

	dir := t.TempDir()
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("main.go", programs[0])
	write("go.sum", read(t, "../go.sum"))
	// What go get does once there is a release.
	write("go.mod", "module bank\n\ngo 1.26.0\n\nrequire github.com/eventfold/eventfold v0.0.0\n\n"+
		"replace github.com/eventfold/eventfold => "+root+"\n")
	run := func(name string, args ...string) string {
		command := exec.Command(name, args...)
		command.Dir = dir
		command.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
		out, err := command.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return string(out)
	}
	run("go", "build", "-mod=mod", "-o", "bank.exe", ".")
	program := filepath.Join(dir, "bank.exe")
	assert.Equal(t, said[1], run(program))
	assert.Contains(t, run(program), `stream "account-7" is at version 2, expected no stream`)
}
