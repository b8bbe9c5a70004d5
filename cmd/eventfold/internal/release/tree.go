package main

import (
	"bytes"
	"context"
	"encoding/json"
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
	nested  []string // the directories of the modules that are released beside the root's, those that others require first

	needs map[string][]string // which of the nested modules each of them requires
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
	return t, t.order(ctx)
}

// order puts the nested modules in the order in which they are released.
func (t *tree) order(ctx context.Context) error {
	t.needs = map[string][]string{}
	for _, module := range t.nested {
		required, err := requirements(ctx, filepath.Join(t.dir, module))
		if err != nil {
			return err
		}
		for _, other := range t.nested {
			if slices.Contains(required, rootModule+"/"+other) {
				t.needs[module] = append(t.needs[module], other)
			}
		}
	}
	var ordered []string
	for len(ordered) < len(t.nested) {
		next := slices.IndexFunc(t.nested, func(module string) bool {
			waits := func(other string) bool { return !slices.Contains(ordered, other) }
			return !slices.Contains(ordered, module) && !slices.ContainsFunc(t.needs[module], waits)
		})
		if next < 0 {
			return fmt.Errorf("some of the modules %v require each other in a circle", t.nested)
		}
		ordered = append(ordered, t.nested[next])
	}
	t.nested = ordered
	return nil
}

// requirements returns the paths of the modules that the one in dir requires.
func requirements(ctx context.Context, dir string) (paths []string, err error) {
	text, err := output(ctx, dir, nil, "go", "mod", "edit", "-json")
	if err != nil {
		return nil, err
	}
	var mod struct{ Require []struct{ Path string } }
	if err := json.Unmarshal([]byte(text), &mod); err != nil {
		return nil, err
	}
	for _, r := range mod.Require {
		paths = append(paths, r.Path)
	}
	return paths, nil
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

// write changes the nested modules of the tree. One that requires others waits until their tags are there.
func (t *tree) write(ctx context.Context) error {
	for _, module := range t.nested {
		if missing := t.missing(ctx, module); len(missing) > 0 {
			fmt.Println(module, "waits for the tag", missing[0]+"/"+t.version+": push that, and run this again")
			continue
		}
		if err := t.prepare(ctx, module, filepath.Join(t.dir, module), nil); err != nil {
			return err
		}
		fmt.Println(module, "is ready for the tag", module+"/"+t.version)
	}
	return nil
}

// missing returns those of the modules that a module requires whose version is not there yet.
func (t *tree) missing(ctx context.Context, module string) (names []string) {
	for _, other := range t.needs[module] {
		path := rootModule + "/" + other + "@" + t.version
		if _, err := output(ctx, os.TempDir(), []string{"GOWORK=off"}, "go", "list", "-m", path); err != nil {
			names = append(names, other)
		}
	}
	return names
}

// prepare drops the replace directives of a module, whose files are in dir, and has it require the version
// of the modules of this repository that it stands on. env tells the go command where these are.
func (t *tree) prepare(ctx context.Context, module, dir string, env []string) error {
	edit := []string{"go", "mod", "edit"}
	for _, other := range append([]string{"."}, t.needs[module]...) {
		path := strings.TrimSuffix(rootModule+"/"+other, "/.")
		edit = append(edit, "-dropreplace="+path, "-require="+path+"@"+t.version)
	}
	if _, err := output(ctx, dir, env, edit...); err != nil {
		return err
	}
	_, err := output(ctx, dir, env, "go", "mod", "tidy")
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
