package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newRepository makes a git repository with three commits by two authors.
func newRepository(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git on this machine")
	}
	dir := t.TempDir()
	git(t, dir, "", "init", "-q")
	write(t, dir, "a.txt", "one\ntwo\nthree\n")
	git(t, dir, "Ada <ada@example.com> 2026-01-02T09:00:00+01:00", "add", ".")
	git(t, dir, "Ada <ada@example.com> 2026-01-02T09:00:00+01:00", "commit", "-q", "-m", "begin: a \"quoted\" subject")
	write(t, dir, "a.txt", "one\nthree\n")
	write(t, dir, "b.txt", "x\n")
	git(t, dir, "Bob <bob@example.com> 2026-02-03T09:30:00+00:00", "add", ".")
	git(t, dir, "Bob <bob@example.com> 2026-02-03T09:30:00+00:00", "commit", "-q", "-m", "change")
	git(t, dir, "Ada <ada@example.com> 2026-02-04T23:59:00-05:00", "commit", "-q", "--allow-empty", "-m", "nothing")
	return dir
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
}

func git(t *testing.T, dir, author string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	if name, rest, ok := strings.Cut(author, " <"); ok {
		mail, date, _ := strings.Cut(rest, "> ")
		for _, who := range []string{"AUTHOR", "COMMITTER"} {
			cmd.Env = append(cmd.Env, "GIT_"+who+"_NAME="+name, "GIT_"+who+"_EMAIL="+mail, "GIT_"+who+"_DATE="+date)
		}
	}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}

func TestRun(t *testing.T) {
	repository, store := newRepository(t), filepath.Join(t.TempDir(), "store")

	var first bytes.Buffer
	require.NoError(t, run(t.Context(), store, repository, &first))
	assert.Equal(t, store+`: 3 commits read, 3 new events appended

Commits per author
author  commits  added  deleted
Ada     2        3      0
Bob     1        1      1

Lines per month
month    commits  added  deleted
2026-01  1        3      0
2026-02  2        1      1

Busiest hours
hour   commits
09:00  2
23:00  1
`, first.String())

	var second bytes.Buffer
	require.NoError(t, run(t.Context(), store, repository, &second))
	assert.Contains(t, second.String(), "3 commits read, 0 new events appended")
	_, firstReport, _ := strings.Cut(first.String(), "\n")
	_, secondReport, _ := strings.Cut(second.String(), "\n")
	assert.Equal(t, firstReport, secondReport)

	git(t, repository, "Bob <bob@example.com> 2026-03-01T10:00:00+00:00", "commit", "-q", "--allow-empty", "-m", "more")
	var third bytes.Buffer
	require.NoError(t, run(t.Context(), store, repository, &third))
	assert.Contains(t, third.String(), "4 commits read, 1 new events appended")
}

func TestRunWithoutRepository(t *testing.T) {
	err := run(t.Context(), filepath.Join(t.TempDir(), "store"), t.TempDir(), &bytes.Buffer{})
	assert.ErrorContains(t, err, "not a git repository")
}
