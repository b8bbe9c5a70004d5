package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A tree is the repository.
type tree struct {
	dir     string
	version string
	files   []string // that git knows, or would know, with slashes
	nested  []string // the directories of the modules that are released beside the root's
}

func openTree(ctx context.Context, version string) (*tree, error) {
	top, err := output(ctx, "", nil, "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, err
	}
	t := &tree{dir: strings.TrimSpace(top), version: version}
	list, err := output(ctx, t.dir, nil, "git", "ls-files", "-co", "--exclude-standard", "-z")
	if err != nil {
		return nil, err
	}
	for file := range strings.SplitSeq(list, "\x00") {
		if _, err := os.Lstat(filepath.Join(t.dir, file)); file != "" && err == nil {
			t.files = append(t.files, file)
		}
	}
	for _, dir := range t.modules() {
		top, _, _ := strings.Cut(dir, "/")
		if dir != "." && !slices.Contains(unreleased, top) {
			t.nested = append(t.nested, dir)
		}
	}
	return t, nil
}

// modules returns the directories of all modules.
func (t *tree) modules() (dirs []string) {
	for _, file := range t.files {
		if path.Base(file) == "go.mod" {
			dirs = append(dirs, path.Dir(file))
		}
	}
	return dirs
}

// filesOf returns the files of a module, by their names in it.
func (t *tree) filesOf(module string) (names []string) {
	for _, file := range t.files {
		owner := "."
		for _, dir := range t.modules() {
			if strings.HasPrefix(file, dir+"/") && len(dir) > len(owner) {
				owner = dir
			}
		}
		if owner == module {
			names = append(names, strings.TrimPrefix(file, module+"/"))
		}
	}
	return names
}

// write changes the nested modules of the tree.
func (t *tree) write(ctx context.Context) error {
	for _, module := range t.nested {
		if err := t.prepare(ctx, filepath.Join(t.dir, module), nil); err != nil {
			return err
		}
		fmt.Println(module, "is ready for the tag", module+"/"+t.version)
	}
	return nil
}

// prepare drops the replace directives of the module in dir, and has it require the version of the
// root module. env tells the go command where that is.
func (t *tree) prepare(ctx context.Context, dir string, env []string) error {
	_, err := output(ctx, dir, env, "go", "mod", "edit", "-dropreplace="+rootModule, "-require="+rootModule+"@"+t.version)
	if err != nil {
		return err
	}
	_, err = output(ctx, dir, env, "go", "mod", "tidy")
	return err
}

// output runs a program and returns what it prints.
func output(ctx context.Context, dir string, env []string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, args[0], args[1:]...)
	c.Dir, c.Env = dir, append(os.Environ(), env...)
	var errOut bytes.Buffer
	c.Stderr = &errOut
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, errOut.String())
	}
	return string(out), nil
}
