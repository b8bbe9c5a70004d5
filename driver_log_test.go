package eventfold_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/engine/vfs"
)

// A lockedBuffer can be written from any goroutine.
type lockedBuffer struct {
	mu     sync.Mutex // protects buffer
	buffer bytes.Buffer
}

// Write implements io.Writer.
func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

// lines returns what was logged, without times.
func (b *lockedBuffer) lines() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Split(strings.TrimSuffix(b.buffer.String(), "\n"), "\n")
}

// logger returns a logger that writes plain lines, and where they go.
func logger() (*slog.Logger, *lockedBuffer) {
	out := &lockedBuffer{}
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	})), out
}

// TestTheLoggerIsToldOfOpeningAndClosing, once for all databases and connections of the store, and of
// nothing that is only a statement's own matter.
func TestTheLoggerIsToldOfOpeningAndClosing(t *testing.T) {
	log, out := logger()
	config := eventfold.Config{Path: filepath.Join(t.TempDir(), "store"), Logger: log}
	one, two := eventfold.OpenDB(config), eventfold.OpenDB(config)
	for _, db := range []*sql.DB{one, two} {
		_, err := db.Exec(`INSERT INTO account (type) VALUES ('Opened')`)
		require.NoError(t, err)
		_, err = db.Exec(`INSERT INTO account (type) VALUES ('Opened') EXPECTING NO STREAM`)
		require.Error(t, err)
		_, err = db.Exec(`no statement`)
		require.Error(t, err)
	}
	require.NoError(t, one.Close())
	require.NoError(t, two.Close())
	config.Mode = eventfold.ReadOnly
	reader := eventfold.OpenDB(config)
	require.NoError(t, reader.Ping())
	require.NoError(t, reader.Close())
	assert.Equal(t, []string{
		`level=INFO msg="store opened" store=` + config.Path + ` events=0 readonly=false`,
		`level=INFO msg="store closed" store=` + config.Path,
		`level=INFO msg="store opened" store=` + config.Path + ` events=2 readonly=true`,
		`level=INFO msg="store closed" store=` + config.Path,
	}, out.lines())
}

// TestTheLoggerIsToldOfTrouble of a store that was moved, once for each code however many calls meet
// it: the first append may or may not be durable, the others are not begun.
func TestTheLoggerIsToldOfTrouble(t *testing.T) {
	log, out := logger()
	dir := filepath.Join(t.TempDir(), "store")
	db := eventfold.OpenDB(eventfold.Config{Path: dir, Logger: log})
	defer db.Close()
	_, err := db.Exec(`INSERT INTO account (type) VALUES ('Opened')`)
	require.NoError(t, err)
	require.NoError(t, os.Rename(dir, dir+".aside"))
	for range 4 {
		_, err = db.Exec(`INSERT INTO account (type) VALUES ('Opened')`)
		require.ErrorIs(t, err, eventfold.ErrMoved)
	}
	lines := out.lines()
	require.Len(t, lines, 3)
	assert.Contains(t, lines[1], `level=WARN msg="store in trouble" store=`+dir+` op=exec code="outcome unknown"`)
	assert.Contains(t, lines[2], `level=ERROR msg="store in trouble" store=`+dir+` op=exec code=moved`)
}

// TestTheLoggerIsToldOfARepair: what a crash has left behind the last acknowledged append.
func TestTheLoggerIsToldOfARepair(t *testing.T) {
	log, out := logger()
	dir := filepath.Join(t.TempDir(), "store")
	db := eventfold.OpenDB(eventfold.Config{Path: dir})
	_, err := db.Exec(`INSERT INTO account (type) VALUES ('Opened')`)
	require.NoError(t, err)
	crashed := filepath.Join(t.TempDir(), "crashed")
	require.NoError(t, os.CopyFS(crashed, os.DirFS(dir)))
	require.NoError(t, db.Close())
	half(t, crashed)

	again := eventfold.OpenDB(eventfold.Config{Path: crashed, Logger: log})
	require.NoError(t, again.Ping())
	require.NoError(t, again.Close())
	require.Len(t, out.lines(), 3)
	assert.Contains(t, out.lines()[1], `level=WARN msg="store repaired"`)
}

// half writes something behind the end of the log, as a machine does that dies while it writes.
func half(t *testing.T, dir string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.log"))
	require.NoError(t, err)
	require.NotEmpty(t, names)
	name := names[len(names)-1]
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	end := len(bytes.TrimRight(content, "\x00"))
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteAt(bytes.Repeat([]byte("half"), 64), int64(end+64)/64*64)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// A troubledStore appends nothing any more.
type troubledStore struct {
	engine.Store
	err error
}

// Append implements engine.Store.
func (s *troubledStore) Append(context.Context, ...engine.Append) (engine.Appended, error) {
	return engine.Appended{}, s.err
}

// TestWhatTheLoggerIsToldStandsOnThePage compares the table of docs/tools.md with what is told, for a
// store of the program's own, whose opening and closing are the program's.
func TestWhatTheLoggerIsToldStandsOnThePage(t *testing.T) {
	page, err := os.ReadFile("docs/tools.md")
	require.NoError(t, err)
	rows := regexp.MustCompile("(?m)^\\| `store in trouble` \\| (WARN|ERROR) \\| (.*) \\|$").FindAllStringSubmatch(string(page), -1)
	require.NotEmpty(t, rows)
	left := maps.Clone(loggedCodes)
	for _, row := range rows {
		for _, name := range regexp.MustCompile("`Err[A-Za-z]+`").FindAllString(row[2], -1) {
			code, ok := left[strings.Trim(name, "`")]
			require.True(t, ok, "%s is not told", name)
			log, out := logger()
			store, err := filestore.Open("store", filestore.Options{FS: vfs.NewMem()})
			require.NoError(t, err)
			broken := &troubledStore{store, &eventfold.Error{Code: code, Op: "append", Err: errors.New("a test")}}
			db := eventfold.OpenDB(eventfold.Config{Store: broken, Logger: log})
			_, err = db.Exec(`INSERT INTO account (type) VALUES ('Opened')`)
			assert.ErrorIs(t, err, code)
			require.NoError(t, db.Close())
			require.NoError(t, store.Close())
			require.Len(t, out.lines(), 1, name)
			assert.Contains(t, out.lines()[0], "level="+row[1], name)
			delete(left, strings.Trim(name, "`"))
		}
	}
	assert.Empty(t, left, "docs/tools.md does not have them")
}

// loggedCodes are the errors that the logger is told of.
var loggedCodes = map[string]eventfold.Code{
	"ErrPoisoned": eventfold.ErrPoisoned, "ErrMoved": eventfold.ErrMoved, "ErrCorrupt": eventfold.ErrCorrupt,
	"ErrFull": eventfold.ErrFull, "ErrIO": eventfold.ErrIO, "ErrKeyring": eventfold.ErrKeyring,
	"ErrInternal": eventfold.ErrInternal, "ErrOutcomeUnknown": eventfold.ErrOutcomeUnknown,
	"ErrLocked": eventfold.ErrLocked, "ErrMemory": eventfold.ErrMemory,
}
