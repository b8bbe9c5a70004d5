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
