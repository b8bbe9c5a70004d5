// Release prepares the modules of this repository for being released: without the replace directives
// by which they find each other in the tree, and with the version of the modules that they stand on instead.
//
//	go run -C cmd/eventfold ./internal/release -version v0.1.0 -write        changes go.mod and go.sum in the tree
//	go run -C cmd/eventfold ./internal/release -version v0.1.0 -proxy DIR    writes a module proxy of the tree to DIR
//
// CONTRIBUTING.md says how a release is made. The proxy is for trying it before: what is installed
// from it is what will be installed from the tags.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
)

// rootModule is the module that the others stand on.
const rootModule = "github.com/eventfold/eventfold"

// unreleased are the directories whose modules are for this repository alone.
var unreleased = []string{"bench", "examples", "integration"}

func main() {
	version := flag.String("version", "", "the `VERSION` of all modules, such as v0.1.0")
	proxy := flag.String("proxy", "", "write a module proxy to `DIR`")
	write := flag.Bool("write", false, "change the go.mod files of the tree; the root module of the version must be there")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *version, *proxy, *write); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, version, proxy string, write bool) error {
	if !strings.HasPrefix(version, "v") || (proxy != "") == write {
		return fmt.Errorf("-version is missing, or one of -proxy and -write; see the comment of the program")
	}
	t, err := openTree(ctx, version)
	if err != nil {
		return err
	}
	if write {
		return t.write(ctx)
	}
	if proxy, err = filepath.Abs(proxy); err != nil {
		return err
	}
	return t.writeProxy(ctx, proxy)
}
