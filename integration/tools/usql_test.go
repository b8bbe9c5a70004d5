package tools

import (
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/internal/testenv"
)

// usqlDriver returns the driver file for usql that docs/tools.md has.
func usqlDriver(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "tools.md"))
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(page), "```go\n// Package eventfold defines usql's driver")
	require.True(t, found)
	file, _, found := strings.Cut(rest, "```\n")
	require.True(t, found)
	return "// Package eventfold defines usql's driver" + file
}

func TestTheDriverFileForUsqlIsFormatted(t *testing.T) {
	file := usqlDriver(t)
	formatted, err := format.Source([]byte(file))
	require.NoError(t, err)
	assert.Equal(t, file, string(formatted))
}

// usqlSession is what is typed into usql.
const usqlSession = `
\dt
\dn
\d $all
\pset format csv
SELECT stream, version, type FROM $all
  WHERE type = 'Placed' ORDER BY position;
\d $streams
`

// TestUsqlWithTheDriverFileOfThePage makes a module of the file, of a command around usql's handler, and of
// the versions in testdata/usql. It is no module of the repository: to tidy it, all databases that usql
// knows would be needed, since its tests have them, and some cannot be had any more.
func TestUsqlWithTheDriverFileOfThePage(t *testing.T) {
	if !testenv.Long() {
		t.Skip("compiles usql, for minutes; EVENTFOLD_TORTURE=1 go test -C integration/tools -run Usql . runs it")
	}
	shell := buildUsql(t)
	store := filepath.Join(t.TempDir(), "store")
	usql := func(database, input string) (out, told string) {
		c := exec.Command(shell, database)
		var o, e strings.Builder
		c.Stdin, c.Stdout, c.Stderr = strings.NewReader(input), &o, &e
		require.NoError(t, c.Run(), &e)
		return o.String(), e.String()
	}
	out, told := usql("eventfold:"+store,
		`INSERT INTO "order-1" (type, payload) VALUES ('Placed', '{"total": 12}'), ('Paid', NULL);`)
	assert.Contains(t, out, "INSERT 2")
	assert.Empty(t, told)
	out, told = usql("ef:"+store+"?mode=ro", usqlSession)
	for _, want := range []string{
		"List of relations", "main   | $all", "List of schemas", "views  | eventfold", `BASE TABLE "main.$all"`,
		"recorded_at | TIMESTAMP", "stream,version,type\norder-1,0,Placed\n", "created_at,TIMESTAMP",
	} {
		assert.Contains(t, out, want)
	}
	assert.Empty(t, told)
}

// buildUsql compiles usql with the driver file, and returns its name.
func buildUsql(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	dir, parts := t.TempDir(), filepath.Join("testdata", "usql")
	put := func(name, text string) {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(parts, name))
		require.NoError(t, err)
		return string(b)
	}
	put("go.mod", strings.Replace(read("go.mod.txt"), "ROOT", root, 1))
	put("go.sum", read("go.sum.txt"))
	put("main.go", read("main.go"))
	put(filepath.Join("drivers", "eventfold", "eventfold.go"), usqlDriver(t))
	c := exec.Command("go", "build", "-o", "shell", ".")
	c.Dir = dir
	c.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly")
	told, err := c.CombinedOutput()
	require.NoError(t, err, "%s", told)
	return filepath.Join(dir, "shell")
}
