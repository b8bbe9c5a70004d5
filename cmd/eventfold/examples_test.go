package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v3"
)

var update = flag.Bool("update", false, "write the outputs of the examples in docs/cli.md anew")

// page is the page with the examples.
var page = filepath.Join("..", "..", "docs", "cli.md")

// TestExamplesOfTheDocumentation runs the commands of the blocks of docs/cli.md whose language is
// console, from top to bottom in one directory, and compares what they print.
func TestExamplesOfTheDocumentation(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no sh, which runs the examples of the page")
	}
	content, err := os.ReadFile(page)
	require.NoError(t, err)
	history, err := os.ReadFile(filepath.Join("..", "..", "docs", "testdata", "history.jsonl"))
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "history.jsonl"), history, 0o600))
	makeWhatProgramsMake(t, dir)
	var written strings.Builder
	rest := string(content)
	for ran := 0; ; ran++ {
		before, after, found := strings.Cut(rest, "\n```console\n")
		written.WriteString(before)
		if !found {
			require.NotZero(t, ran)
			break
		}
		block, behind, found := strings.Cut(after, "\n```")
		require.True(t, found, "a block is not closed")
		got := runExamples(t, dir, block)
		if !*update {
			assert.Equal(t, masked(block), masked(got))
		}
		written.WriteString("\n```console\n" + got + "\n```")
		rest = behind
	}
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(written.String()), 0o600))
	}
}

// makeWhatProgramsMake makes what the page says that a program has made: a store with a projection, and
// a keyring.
func makeWhatProgramsMake(t *testing.T, dir string) {
	bank := filepath.Join(dir, "bank")
	require.NoError(t, printSQL(bank, []string{
		`INSERT INTO "account-7" (type, payload) VALUES ('Deposited', '{"amount": 40}'), ('Odd', NULL), ('Deposited', '{"amount": 2}')`}))
	require.NoError(t, runProjection(bank, filepath.Join(dir, "readmodel.db"), "balances"))
	require.NoError(t, makeKeyring(filepath.Join(dir, "keys"), filepath.Join(dir, "epochs"), "customer:42", "customer:43"))
}

// TestEveryCommandHasAnExample that is run.
func TestEveryCommandHasAnExample(t *testing.T) {
	content, err := os.ReadFile(page)
	require.NoError(t, err)
	var examples strings.Builder
	for _, block := range strings.Split(string(content), "\n```console\n")[1:] {
		block, _, _ = strings.Cut(block, "\n```")
		for line := range strings.SplitSeq(block, "\n") {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				examples.WriteString(command + "\n")
			}
		}
	}
	for _, group := range groups {
		for _, make := range group.commands {
			c := make()
			for _, name := range append([]string{c.Name}, namesBelow(c)...) {
				assert.Contains(t, examples.String(), "eventfold "+name, "docs/cli.md has no example of it that is run")
			}
		}
	}
}

// namesBelow are the names of the commands of a group, behind that of the group.
func namesBelow(c *cli.Command) (names []string) {
	for _, below := range c.Commands {
		names = append(names, c.Name+" "+below.Name)
	}
	return names
}

// fleeting is what is another one in every run: ids and times of the store, hashes, how long
// something took, versions of the build.
var fleeting = regexp.MustCompile(
	`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}` +
		`|20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d\.\d{6}Z` +
		`|[0-9a-f]{64}|[0-9.]+ (ms|µs|s)\b|go1\.[0-9.]+|\([0-9a-f]{12}(, modified)?\)`)

func masked(text string) string { return fleeting.ReplaceAllString(text, "*") }

// runExamples runs the lines of a block that begin with a dollar sign, and returns the block with
// their outputs.
func runExamples(t *testing.T, dir, block string) string {
	var lines []string
	for line := range strings.SplitSeq(block, "\n") {
		command, ok := strings.CutPrefix(line, "$ ")
		if !ok {
			continue
		}
		lines = append(lines, line)
		c := exec.CommandContext(t.Context(), "sh", "-c", command)
		c.Dir = dir
		c.Env = append(os.Environ(), "NO_COLOR=1", "XDG_STATE_HOME="+dir)
		out, err := c.CombinedOutput()
		if text := strings.TrimSuffix(string(out), "\n"); text != "" {
			lines = append(lines, text)
		}
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			lines = append(lines, fmt.Sprintf("[exit code %d]", exit.ExitCode()))
		} else {
			require.NoError(t, err, command)
		}
	}
	return strings.Join(lines, "\n")
}
