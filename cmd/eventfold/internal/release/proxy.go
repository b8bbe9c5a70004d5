package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// writeProxy writes all modules to a directory, as GOPROXY=file://DIR reads it: the root module
// first, because the others are made ready with it, and those that others require before these.
func (t *tree) writeProxy(ctx context.Context, dir string) error {
	if err := t.publish(dir, rootModule, t.dir, t.filesOf(".")); err != nil {
		return err
	}
	env, err := proxyEnv(ctx, dir)
	if err != nil {
		return err
	}
	for _, module := range t.nested {
		if err := t.publishNested(ctx, dir, module, env); err != nil {
			return err
		}
	}
	return nil
}

// proxyEnv is the environment in which the go command finds our modules in the directory, and all
// others where it finds them otherwise.
func proxyEnv(ctx context.Context, dir string) ([]string, error) {
	others, err := output(ctx, "", nil, "go", "env", "GOPROXY")
	if err != nil {
		return nil, err
	}
	return []string{
		"GOPROXY=file://" + filepath.ToSlash(dir) + "," + strings.TrimSpace(others),
		"GONOSUMDB=" + rootModule + "," + rootModule + "/*", "GONOPROXY=none", "GOFLAGS=-mod=mod", "GOWORK=off",
	}, nil
}

// publishNested makes a copy of a module ready, and publishes that.
func (t *tree) publishNested(ctx context.Context, dir, module string, env []string) error {
	work, err := os.MkdirTemp("", "release")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	files := t.filesOf(module)
	for _, name := range files {
		content, err := os.ReadFile(filepath.Join(t.dir, module, name))
		if err != nil {
			return err
		}
		to := filepath.Join(work, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(to, content, 0o600); err != nil {
			return err
		}
	}
	if err := t.prepare(ctx, module, work, env); err != nil {
		return err
	}
	if !slices.Contains(files, "go.sum") {
		files = append(files, "go.sum")
	}
	return t.publish(dir, rootModule+"/"+module, work, files)
}

// publish writes the files of a module as a proxy has them.
func (t *tree) publish(dir, module, from string, files []string) error {
	at := filepath.Join(dir, filepath.FromSlash(module), "@v")
	if err := os.MkdirAll(at, 0o700); err != nil {
		return err
	}
	mod, err := os.ReadFile(filepath.Join(from, "go.mod"))
	if err != nil {
		return err
	}
	info, err := json.Marshal(map[string]any{"Version": t.version, "Time": time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	if err := pack(&packed, module+"@"+t.version, from, files); err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"list": []byte(t.version + "\n"),

		t.version + ".info": info, t.version + ".mod": mod, t.version + ".zip": packed.Bytes(),
	} {
		if err := os.WriteFile(filepath.Join(at, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// pack writes files to an archive, below a prefix. What is no ordinary file is left out, as in
// every module.
func pack(w io.Writer, prefix, from string, files []string) error {
	z := zip.NewWriter(w)
	for _, name := range files {
		path := filepath.Join(from, filepath.FromSlash(name))
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			continue
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f, err := z.Create(prefix + "/" + name)
		if err != nil {
			return err
		}
		if _, err := f.Write(content); err != nil {
			return err
		}
	}
	return z.Close()
}
