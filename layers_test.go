package eventfold_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const modulePath = "github.com/eventfold/eventfold"

// layers are the packages of this module, and what the production code of each may import of it.
// The driver stands over query and the store, query over parser and engine, which do not know each
// other. What is internal to a package keeps nobody else busy: Go sees to that.
var layers = map[string][]string{
	".": {"query", "parser", "shred", "engine/filestore", "engine/vfs", "engine"},

	"retain":        {},    // a client of database/sql
	"eventfoldtest": {"."}, // for the tests of programs

	"drivertest": {}, // knows database/sql, and no driver

	"query": {
		"parser", "engine", "query/internal/expr", "query/internal/fault",
		"query/internal/exact", "query/internal/jsonpath", "query/internal/spill", "query/internal/value",
		"query/internal/viewstate", "internal/sabotage",
	},
	"query/internal/exact":     {},
	"query/internal/spill":     {"engine/vfs"},
	"query/internal/viewstate": {"query/internal/exact", "query/internal/value"},
	"query/internal/expr": {
		"parser", "engine", "query/internal/fault", "query/internal/jsonpath", "query/internal/value",
	},
	"query/internal/fault":           {"parser"},
	"query/internal/jsonpath":        {"query/internal/value"},
	"query/internal/value":           {},
	"query/internal/value/valuetest": {},
	"query/sqllogic":                 {},
	"query/transcript":               {"engine", "query/internal/value"},
	"parser":                         {},

	"shred": {"engine/vfs"},

	"engine": {},
	"engine/filestore": {
		"engine", "engine/vfs", "internal/sabotage",
		"engine/filestore/internal/clock", "engine/filestore/internal/format", "engine/filestore/internal/index",
	},
	"engine/filestore/internal/index": {
		"engine", "engine/vfs", "internal/sabotage",
		"engine/filestore/internal/clock", "engine/filestore/internal/format",
	},
	"engine/filestore/internal/clock":           {},
	"engine/filestore/internal/index/indextest": {"engine", "engine/vfs", "engine/filestore/internal/index"},
	"engine/filestore/internal/format":          {"engine", "internal/sabotage"},
	"engine/vfs":                                {"engine"},

	"engine/enginetest": {"engine", "internal/testenv"},
	"engine/crashtest": {
		"engine", "engine/vfs", "engine/filestore", "engine/enginetest", "internal/sabotage",
		"internal/testenv",
	},
	"internal/race":     {},
	"internal/sabotage": {},
	"internal/testenv":  {"internal/race"},
}

// longestChain is how many packages of this module may stand one above the other in what a program
// links, which begins at the root.
const longestChain = 5

// clients are the packages of this module that stand on the root as programs do, and are linked into
// tests of programs alone. Nothing of the module may import them, so that they lengthen nobody's chain;
// they may import nothing but the root, so that no wall is walked round through them.
var clients = []string{"eventfoldtest"}

// touchers are the packages that may import what touches files.
var touchers = map[string][]string{
	"os": {
		"engine/vfs", "engine/filestore", "engine/crashtest",
		"internal/sabotage", "internal/testenv", // for the environment
		"shred", "query/internal/spill", // for the flags of vfs.FS.Open
	},
	"syscall":                      {"engine/vfs", "engine/filestore", "engine/crashtest", "."}, // the root has the numbers of errors
	"golang.org/x/sys/unix":        {"engine/vfs", "engine/filestore", "engine/crashtest"},
	"golang.org/x/sys/windows":     {"engine/vfs", "engine/filestore"},
	"github.com/xwb1989/sqlparser": {"parser"},
}

// A listedPackage is what go list tells of a package.
type listedPackage struct {
	ImportPath, Dir           string
	GoFiles, IgnoredGoFiles   []string // the latter are of other platforms and tags
	TestImports, XTestImports []string
}

// within returns the package's name below the module: . for the root.
func (p listedPackage) within() string {
	if p.ImportPath == modulePath {
		return "."
	}
	return strings.TrimPrefix(p.ImportPath, modulePath+"/")
}

// isProgram tells whether nobody imports the package: it may import what it likes.
func (p listedPackage) isProgram() bool {
	name := p.within()
	return strings.HasPrefix(name, "cmd/") || strings.HasPrefix(name, "examples/") || name == "docs"
}

// imports are what the production code of the package imports, on any platform.
func (p listedPackage) imports(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, name := range slices.Concat(p.GoFiles, p.IgnoredGoFiles) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		path := filepath.Join(p.Dir, name)
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			names = append(names, imported)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// packages lists the packages of this module.
func packages(t *testing.T) (list []listedPackage) {
	t.Helper()
	out, err := exec.Command("go", "list", "-json", "./...").Output()
	require.NoError(t, err)
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listedPackage
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return list
		}
		require.NoError(t, err)
		list = append(list, p)
	}
}

// TestImportsPointDown holds the layers of this module.
func TestImportsPointDown(t *testing.T) {
	below := map[string][]string{}
	for _, p := range packages(t) {
		name := p.within()
		allowed, ok := layers[name]
		if !ok && !p.isProgram() {
			t.Errorf("%s has no place in the layers", name)
		}
		for _, imported := range p.imports(t) {
			users, touches := touchers[imported]
			if touches && !p.isProgram() && !slices.Contains(users, name) {
				t.Errorf("%s imports %s, which only %v may", name, imported, users)
			}
			inner, own := strings.CutPrefix(imported, modulePath)
			if !own || p.isProgram() {
				continue
			}
			if inner = strings.TrimPrefix(inner, "/"); inner == "" {
				inner = "."
			}
			if !slices.Contains(allowed, inner) {
				t.Errorf("%s imports %s, which is not below it", name, imported)
			}
			below[name] = append(below[name], inner)
		}
		for _, imported := range slices.Concat(p.TestImports, p.XTestImports) {
			if strings.Contains(imported, "sqlparser") && name != "parser" {
				t.Errorf("a test of %s imports %s, which only parser may", name, imported)
			}
		}
	}
	for _, name := range clients {
		assert.Equal(t, []string{"."}, below[name], name)
		delete(below, name)
	}
	for name, imported := range below {
		for _, client := range clients {
			assert.NotContains(t, imported, client, name)
		}
		chain := deepest(name, below)
		assert.LessOrEqual(t, len(chain), longestChain, "%v", chain)
	}
}

// deepest returns the longest chain of imports that begins with a package.
func deepest(name string, below map[string][]string) []string {
	var longest []string
	for _, next := range below[name] {
		if chain := deepest(next, below); len(chain) > len(longest) {
			longest = chain
		}
	}
	return append([]string{name}, longest...)
}

// TestNothingSpeaksOfTesting holds that programs do not get the testing package linked in.
func TestNothingSpeaksOfTesting(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	for line := range bytes.Lines(out) {
		name := strings.TrimSpace(string(line))
		assert.NotEqual(t, "testing", name)
		assert.NotContains(t, name, "testify")
	}
}
