//go:build !windows

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
)

// A terminal is a command that runs at one.
type terminal struct {
	t       *testing.T
	keys    *os.File
	command *exec.Cmd

	mu        sync.Mutex // protects screen and questions
	screen    strings.Builder
	questions int // where the cursor is
}

// atTerminal runs eventfold at a terminal of 100 columns and 30 lines.
func atTerminal(t *testing.T, environment []string, args ...string) *terminal {
	t.Helper()
	executable, err := exec.LookPath("eventfold")
	require.NoError(t, err)
	x := &terminal{t: t, command: exec.CommandContext(t.Context(), executable, args...)}
	x.command.Env = append(append(os.Environ(), "TERM=xterm", "INPUTRC=/dev/null", "PAGER=cat"), environment...)
	x.keys, err = pty.StartWithSize(x.command, &pty.Winsize{Rows: 30, Cols: 100})
	require.NoError(t, err)
	read := make(chan struct{})
	go func() { // ended by the end of the command
		defer close(read)
		b, asked := make([]byte, 4096), ""
		for {
			n, err := x.keys.Read(b)
			x.mu.Lock()
			x.screen.Write(b[:n])
			x.mu.Unlock()
			asked += string(b[:n])
			for {
				_, behind, found := strings.Cut(asked, "\x1b[6n")
				if !found {
					break
				}
				asked = behind
				x.mu.Lock()
				x.questions++
				x.mu.Unlock()
				_, _ = io.WriteString(x.keys, "\x1b[1;1R") // where the cursor is
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = x.command.Process.Kill()
		_ = x.command.Wait()
		<-read
		_ = x.keys.Close()
	})
	return x
}

// shown is everything that was written so far.
func (x *terminal) shown() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.screen.String()
}

// await waits until a text is shown behind what was shown before.
func (x *terminal) await(text string) {
	x.t.Helper()
	shown := func() bool { return strings.Contains(x.shown(), text) }
	if !assert.Eventually(x.t, shown, time.Minute, 5*time.Millisecond) {
		x.t.Fatalf("%q is not shown:\n%q", text, x.shown())
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	_, behind, _ := strings.Cut(x.screen.String(), text)
	x.screen.Reset()
	x.screen.WriteString(behind)
}

// typed types keys.
func (x *terminal) typed(keys string) {
	x.t.Helper()
	_, err := io.WriteString(x.keys, keys)
	require.NoError(x.t, err)
}

// end waits until the command has ended, and returns its exit code.
func (x *terminal) end() int {
	_ = x.command.Wait()
	return x.command.ProcessState.ExitCode()
}

// awaitPrompt waits until the editor waits for keys behind a prompt: it is shown again with each key,
// but only once with what tells the terminal of a new line; then comes the first drawing of the line.
func (x *terminal) awaitPrompt(prompt string) {
	x.t.Helper()
	x.await(prompt + "\x1b[1 q")
	x.await("\x1b[?25h")
}

// awaitDrawn waits until the editor has drawn a line, and waits for keys.
func (x *terminal) awaitDrawn() {
	x.t.Helper()
	x.await("\x1b[?25h")
}

func TestTheShellRunsWhatIsTypedOverSeveralLines(t *testing.T) {
	state := t.TempDir()
	x := atTerminal(t, []string{"XDG_STATE_HOME=" + state}, "shell", "--write", smallStore(t))
	x.await("(for writing)")
	x.awaitPrompt("eventfold> ")
	x.typed("SELECT COUNT(*) + 38\r")
	x.await("\r\r\n") // the editor asks the terminal where it is, and takes what comes too early for the answer
	x.await("\x1b[?25h")
	x.typed("AS answer FROM $all;\r")
	x.await("(1 row)")
	x.awaitPrompt("eventfold> ")
	x.typed("BEGIN;\r")
	x.awaitPrompt("eventfold (transaction)> ")
	x.typed("ROLLBACK;\r")
	x.awaitPrompt("eventfold> ")
	x.typed("SELECT nothing FROM $all;\r")
	x.await("there is no column")
	x.awaitPrompt("eventfold> ")
	x.typed("SELECT 'dropped'\x03")
	x.awaitPrompt("eventfold> ")
	x.typed(".quit\r")
	assert.Equal(t, exitOK, x.end())
	kept := filepath.Join(state, "eventfold", "history")
	info, err := os.Stat(kept)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	h, err := openHistory(kept)
	require.NoError(t, err)
	assert.Contains(t, h.entries, "SELECT COUNT(*) + 38\nAS answer FROM $all;")
}

func TestAnInterruptEndsTheStatementAndNotTheShell(t *testing.T) {
	x := atTerminal(t, []string{"XDG_STATE_HOME=" + t.TempDir()}, "shell", smallStore(t))
	x.awaitPrompt("eventfold> ")
	x.typed("SELECT position FROM $all FOLLOW;\r")
	x.await("2\r\n")
	x.typed("\x03")
	x.await("(3 rows)")
	x.awaitPrompt("eventfold> ")
	x.typed("SELECT 6 * 7;\r")
	x.await("42")
	x.awaitPrompt("eventfold> ")
	x.typed("\x04")
	assert.Equal(t, exitOK, x.end())
}

func TestTheShellCompletesAtTab(t *testing.T) {
	x := atTerminal(t, []string{"XDG_STATE_HOME=" + t.TempDir(), "NO_COLOR=1"}, "shell", smallStore(t))
	x.awaitPrompt("eventfold> ")
	x.typed("SELECT COUNT(*) + 41 FROM $all WHERE type = 'Cle")
	x.await("'Cle")
	x.typed("\t")
	x.await("'Cleared'")
	x.await("\x1b[?25h")
	x.typed(";\r")
	x.await("42\r\n")
	x.awaitPrompt("eventfold> ")
	x.typed(".q\t\r")
	assert.Equal(t, exitOK, x.end())
}

func TestTheFirstTabShowsWhatThereIsToChooseFrom(t *testing.T) {
	x := atTerminal(t, []string{"XDG_STATE_HOME=" + t.TempDir(), "NO_COLOR=1"}, "shell", smallStore(t))
	x.awaitPrompt("eventfold> ")
	x.typed("SELECT str")
	x.await("SELECT str")
	x.typed("\t")
	x.await("stream")
	x.await("strftime(")
	x.await("string_agg(")
}

func TestASignalLeavesTheTerminalAsItWas(t *testing.T) {
	x := atTerminal(t, []string{"XDG_STATE_HOME=" + t.TempDir()}, "shell", smallStore(t))
	x.awaitPrompt("eventfold> ")
	require.NoError(t, x.command.Process.Signal(syscall.SIGTERM))
	assert.Equal(t, exitError, x.end())
}

// What was typed in a transaction that is open at the end is gone, however the end comes.
func TestATransactionThatIsOpenAtTheEndOfTheShellIsTold(t *testing.T) {
	for name, end := range map[string]func(*terminal){
		"Ctrl-D":   func(x *terminal) { x.typed("\x04") },
		".quit":    func(x *terminal) { x.typed(".quit\r") },
		"a signal": func(x *terminal) { _ = x.command.Process.Signal(syscall.SIGTERM) },
	} {
		store := smallStore(t)
		x := atTerminal(t, []string{"XDG_STATE_HOME=" + t.TempDir(), "NO_COLOR=1"}, "shell", "--write", store)
		x.awaitPrompt("eventfold> ")
		x.typed("BEGIN; INSERT INTO new (type) VALUES ('A');\r")
		x.awaitPrompt("eventfold (transaction)> ")
		end(x)
		x.await("there is no COMMIT behind the last BEGIN")
		assert.Equal(t, exitError, x.end(), name)
		assert.Equal(t, "0", answerOf(t, store, "SELECT COUNT(*) FROM new"), name)
	}
}

func TestAnInterruptWhileNothingRunsLeavesTheShellAlone(t *testing.T) {
	x := atTerminal(t, []string{"XDG_STATE_HOME=" + t.TempDir(), "NO_COLOR=1"}, "shell", smallStore(t))
	x.awaitPrompt("eventfold> ")
	for range 3 {
		require.NoError(t, x.command.Process.Signal(os.Interrupt))
		x.typed(".timer off\r") // which an interrupt that comes late does not end
		x.awaitPrompt("eventfold> ")
		x.typed("SELECT 6 * 7;\r")
		x.await("42\r\n")
		x.awaitPrompt("eventfold> ")
	}
	x.typed("\x04")
	assert.Equal(t, exitOK, x.end())
}

// What is pasted is one text, with commands of the shell and statements, and more of it than what is
// read from a terminal at a time. Tabs do not complete, and nothing in it moves the cursor.
func TestWhatIsPastedRunsLineByLine(t *testing.T) {
	x := atTerminal(t, []string{"XDG_STATE_HOME=" + t.TempDir(), "NO_COLOR=1"}, "shell", smallStore(t))
	x.awaitPrompt("eventfold> ")
	var text strings.Builder
	text.WriteString(".mode csv\r\n.timer off\rSELECT COUNT(*) AS n\rFROM\t$all;\r")
	for n := range 100 {
		fmt.Fprintf(&text, "\tSELECT %d AS row%d;\x1b\r", n, n)
	}
	x.typed("\x1b[200~" + text.String() + "\x1b[201~")
	x.await("row99")
	x.awaitDrawn()
	x.typed("\r")
	x.await("n\r\n3\r\n")
	for n := range 100 {
		x.await(fmt.Sprintf("row%d\r\n%d\r\n", n, n))
	}
	x.awaitPrompt("eventfold> ")
	x.typed("\x1b[200~.quit\rSELECT 'not run';\x1b[201~")
	x.await("not run")
	x.awaitDrawn()
	x.typed("\r")
	assert.Equal(t, exitOK, x.end())
}

func TestWhatIsPastedEndsWithItsFirstError(t *testing.T) {
	x := atTerminal(t, []string{"XDG_STATE_HOME=" + t.TempDir(), "NO_COLOR=1"}, "shell", smallStore(t))
	x.awaitPrompt("eventfold> ")
	x.typed("\x1b[200~SELECT 1 AS one;\rSELECT nothing FROM $all;\rSELECT 2 AS two;\x1b[201~")
	x.await("AS two")
	x.awaitDrawn()
	x.typed("\r")
	x.await("there is no column")
	assert.NotContains(t, x.shown(), "(1 row)")
	x.awaitPrompt("eventfold> ")
	x.typed("\x04")
	assert.Equal(t, exitOK, x.end())
}

// What is typed quickly, or pasted into a terminal that does not mark it, comes together with what the
// terminal answers to the editor's question where the cursor is, and is read together with it. So there
// is no question: none of it is lost, and it runs line by line.
func TestWhatComesFasterThanTheTerminalAnswersIsNotLost(t *testing.T) {
	x := atTerminal(t, []string{"XDG_STATE_HOME=" + t.TempDir(), "NO_COLOR=1"}, "shell", smallStore(t))
	x.awaitPrompt("eventfold> ")
	x.typed(".mode csv\rSELECT 1\rAS one;\rSELECT 2\rAS two;\r")
	x.await("one\r\n1\r\n")
	x.await("two\r\n2\r\n")
	x.awaitPrompt("eventfold> ")
	x.typed("\x04")
	assert.Equal(t, exitOK, x.end())
	x.mu.Lock()
	defer x.mu.Unlock()
	assert.Zero(t, x.questions)
}

func TestEntriesAreWholeWhenTheLastOneIs(t *testing.T) {
	tests := []struct {
		text string
		want bool
	}{
		{"", true}, {" \n", true}, {"SELECT 1", false}, {"SELECT 1;", true}, {"SELECT 1; -- a", true},
		{"SELECT 1; /* a", false}, {"SELECT 1; /* a\n*/", true}, {"SELECT ';", false}, {"SELECT ';\n';", true},
		{".mode csv", true}, {".mode csv\nSELECT 1", false}, {".mode csv\nSELECT\n1;", true},
		{"SELECT 1;\n.mode csv", true}, {"SELECT\n.mode csv", false}, {"SELECT 1;\nSELECT 2", false},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, wholeEntries(tt.text), "%q", tt.text)
	}
}

func TestProposalsDependOnWhatStandsBefore(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := openSession(ctx, smallStore(t), eventfold.ReadOnly)
	require.NoError(t, err)
	defer s.close()
	c := &completer{session: s}
	tests := []struct {
		before, word string // what stands behind the cursor follows |
		want, not    []string
	}{
		{"SELECT first_|FROM $types", "first_", []string{"first_position"}, nil},
		{"SELECT |FROM $types", "", []string{"events", "SELECT"}, []string{"payload", "metadata"}},
		{"SELECT | FROM order-1 AS o", "", []string{"payload", "category"}, []string{"first_position"}},
		{"SELECT * FROM $all JOIN $types AS t ON t.ev", "ev", []string{"events"}, []string{"event", "every("}},
		{"SELECT t.| FROM $streams s, $types t", "", []string{"events", "type"}, []string{"stream", "SELECT"}},
		{"SELECT * FROM $streams s, $types WHERE s.", "", []string{"stream"}, []string{"type", "SELECT"}},
		{"SELECT $types.| FROM $types", "", []string{"first_position"}, []string{"payload"}},
		{"SELECT * FROM (SELECT * FROM $types) WHERE fir", "fir", []string{"first_position"}, nil},
		{"SELECT COUNT(*) AS counted FROM $all ORDER BY cou", "cou", []string{"counted", "count("}, nil},
		{"SELECT * FROM $types; SELECT pay", "pay", []string{"payload"}, nil},
		{"SELECT pay|; SELECT * FROM $types", "pay", []string{"payload"}, nil},
		{"SELECT -- FROM $types\n pay", "pay", []string{"payload"}, nil},
		{"INSERT INTO new (pay", "pay", []string{"payload"}, nil},
		{"SELECT * FROM", "FROM", nil, nil}, {"SELECT * FROM $all,", "", []string{"$types"}, []string{"SELECT"}},
		{"SELECT * FROM $all a,order-", "order-", []string{"order-1"}, []string{"$all"}},
		{"SELECT * FROM $all WHERE f(a, ", "", []string{"SELECT"}, []string{"$all"}},
		{"sel", "sel", []string{"select"}, []string{"SELECT", "stream"}},
		{"SELECT pay", "pay", []string{"payload"}, []string{"position"}},
		{"SELECT json_ext", "json_ext", []string{"json_extract("}, nil},
		{"SELECT * FROM ", "", []string{"$all", "order-1", `"cart 1"`}, []string{"SELECT"}},
		{"SELECT * FROM ord", "ord", []string{"order-1", "order-2"}, []string{"$all"}},
		{"SELECT * FROM order-", "order-", []string{"order-1", "order-2"}, []string{"$all"}},
		{`SELECT * FROM "ca`, `"ca`, []string{`"cart 1"`}, nil},
		{"SELECT * FROM $a", "$a", []string{"$all"}, []string{"order-1"}},
		{"SELECT 1; SELECT * FROM $a", "$a", []string{"$all"}, nil},
		{"SELECT * FROM $all WHERE type = 'Pl", "'Pl", []string{"'Placed'"}, []string{"'Cleared'"}},
		{"SELECT * FROM $all WHERE type IN ('Placed', '", "'", []string{"'Cleared'"}, nil},
		{"SELECT * FROM $all WHERE stream = '", "'", []string{"'order-1'", "'cart 1'"}, nil},
		{"SELECT payload->>'$", "'$", []string{"'$.total'", "'$.items[*].name'"}, nil},
		{".mo", ".mo", []string{".mode"}, nil},
		{".mode nd", "nd", []string{"ndjson"}, []string{"csv"}},
		{`\d ord`, "ord", []string{"order-1"}, nil},
	}
	for _, tt := range tests {
		before, behind, _ := strings.Cut(tt.before, "|")
		word, list := c.proposals(before, behind)
		assert.Equal(t, tt.word, word, tt.before)
		var texts []string
		for _, p := range list {
			texts = append(texts, p.text)
		}
		for _, want := range tt.want {
			assert.Contains(t, texts, want, tt.before)
		}
		for _, not := range tt.not {
			assert.NotContains(t, texts, not, tt.before)
		}
	}
}

func TestPiecesOfAStatementHaveColours(t *testing.T) {
	c := &console{colour: true}
	assert.Equal(t, "\x1b[34mSELECT\x1b[0m type, \x1b[32m'a'\x1b[0m; \x1b[2m-- b\x1b[0m",
		highlight(c, "SELECT type, 'a'; -- b"))
	assert.Equal(t, ".mode csv", highlight(c, ".mode csv"))
}

func TestAHistoryIsShortenedAndKeepsOddEntries(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "history")
	h, err := openHistory(path)
	require.NoError(t, err)
	for _, entry := range []string{"SELECT 1;", "SELECT 1;", " secret;", "a\nb\x1b[2J'\\"} {
		_, err := h.Write(entry)
		require.NoError(t, err)
	}
	h, err = openHistory(path)
	require.NoError(t, err)
	assert.Equal(t, []string{"SELECT 1;", "a\nb\x1b[2J'\\"}, h.entries)
	for i := range 2*mostRemembered + 1 {
		_, err := h.Write(textOf(int64(i)))
		require.NoError(t, err)
	}
	h, err = openHistory(path)
	require.NoError(t, err)
	assert.Equal(t, mostRemembered, h.Len())
	last, err := h.GetLine(mostRemembered - 1)
	require.NoError(t, err)
	assert.Equal(t, "2000", last)
}
