// This is usql with the driver file of docs/tools.md and no other one, and without its command line: it
// runs what its input says on the database that its argument names.
package main

import (
	"bufio"
	"context"
	"io"
	"log"
	"os"
	"os/user"

	"github.com/xo/usql/handler"
	"github.com/xo/usql/rline"

	_ "usql/drivers/eventfold"
)

func main() {
	who, err := user.Current()
	if err != nil {
		log.Fatal(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	next := func() ([]rune, error) {
		if !lines.Scan() {
			return nil, io.EOF
		}
		return []rune(lines.Text()), nil
	}
	shell := handler.New(&rline.Rline{N: next, Out: os.Stdout, Err: os.Stderr}, who, os.TempDir(), nil, true)
	if err := shell.Open(context.Background(), os.Args[1]); err != nil {
		log.Fatal(err)
	}
	if err := shell.Run(); err != nil {
		log.Fatal(err)
	}
	if err := shell.Close(); err != nil {
		log.Fatal(err)
	}
}
