package main

import (
	"archive/zip"
	"context"
	"crypto/rand"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/internal/testenv"
)

func TestAModuleHasItsOwnFilesAlone(t *testing.T) {
	tree, err := openTree(t.Context(), "v0.1.0")
	require.NoError(t, err)
	assert.Contains(t, tree.nested, "cmd/eventfold")
	root := tree.filesOf(".")
	assert.Subset(t, root, []string{"go.mod", "LICENSE", "driver.go", "engine/filestore/open.go"})
	for _, name := range root {
		assert.False(t, strings.HasPrefix(name, "cmd/eventfold/") || strings.HasPrefix(name, "bench/"), name)
	}
	assert.Subset(t, tree.filesOf("cmd/eventfold"), []string{"go.mod", "go.sum", "main.go", "internal/release/main.go"})
	for _, dir := range tree.nested {
		for _, prefix := range unreleased {
			assert.False(t, strings.HasPrefix(dir, prefix), dir)
		}
	}

	require.Contains(t, tree.nested, "jetstream")
	assert.Equal(t, []string{"jetstream"}, tree.needs["cmd/eventfold"])
	assert.Less(t, slices.Index(tree.nested, "jetstream"), slices.Index(tree.nested, "cmd/eventfold"),
		"what others require is released before them")

	proxy := t.TempDir()
	require.NoError(t, tree.publish(proxy, rootModule, tree.dir, []string{"go.mod", "LICENSE"}))
	z, err := zip.OpenReader(filepath.Join(proxy, rootModule, "@v", "v0.1.0.zip"))
	require.NoError(t, err)
	defer z.Close()
	require.Len(t, z.File, 2)
	assert.Equal(t, rootModule+"@v0.1.0/go.mod", z.File[0].Name)
	require.Error(t, run(t.Context(), "", proxy, false))
	require.Error(t, run(t.Context(), "v1.0.0", proxy, true))
}

// The command is installed as from a release: from a module proxy that is made of the tree. The
// version is another one each time, so that the module cache has never seen it, and is forgotten
// again.
func TestTheCommandIsInstalledFromARelease(t *testing.T) {
	if !testenv.Long() {
		t.Skip("compiles everything; EVENTFOLD_TORTURE runs it, and so does .ci/run")
	}
	var random [6]byte
	_, _ = rand.Read(random[:])
	version := fmt.Sprintf("v0.0.0-%s-%x", time.Now().UTC().Format("20060102150405"), random)
	ctx := t.Context()
	proxy, bin := t.TempDir(), t.TempDir()
	t.Cleanup(func() { forget(t, version) })
	require.NoError(t, run(ctx, version, proxy, false))

	mod, err := os.ReadFile(filepath.Join(proxy, rootModule, "cmd", "eventfold", "@v", version+".mod"))
	require.NoError(t, err)
	assert.NotContains(t, string(mod), "replace", "go install refuses it")
	assert.Contains(t, string(mod), rootModule+" "+version)
	assert.Contains(t, string(mod), rootModule+"/jetstream "+version)

	env, err := proxyEnv(ctx, proxy)
	require.NoError(t, err)
	_, err = output(ctx, t.TempDir(), append(env, "GOBIN="+bin), "go", "install", rootModule+"/cmd/eventfold@"+version)
	require.NoError(t, err)
	out, err := exec.CommandContext(ctx, filepath.Join(bin, "eventfold"), "version").CombinedOutput()
	require.NoError(t, err)
	assert.Contains(t, string(out), "eventfold v0.1.0")
}

// forget removes a version of our modules from the module cache.
func forget(t *testing.T, version string) {
	out, err := output(context.Background(), "", nil, "go", "env", "GOMODCACHE")
	require.NoError(t, err)
	cache := strings.TrimSpace(out)
	for _, pattern := range []string{
		"github.com/eventfold/eventfold@" + version, "github.com/eventfold/eventfold/*@" + version,
		"github.com/eventfold/eventfold/*/*@" + version,
		"cache/download/github.com/eventfold/eventfold/@v/" + version + ".*",
		"cache/download/github.com/eventfold/eventfold/*/@v/" + version + ".*",
		"cache/download/github.com/eventfold/eventfold/*/*/@v/" + version + ".*",
	} {
		found, err := filepath.Glob(filepath.Join(cache, pattern))
		require.NoError(t, err)
		for _, name := range found {
			_ = filepath.WalkDir(name, func(path string, d fs.DirEntry, err error) error {
				if err == nil && d.IsDir() {
					return os.Chmod(path, 0o700)
				}
				return err
			})
			assert.NoError(t, os.RemoveAll(name))
		}
	}
}
