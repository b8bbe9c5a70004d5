package main

import "github.com/urfave/cli/v3"

// caring are the commands that move events, check them, and destroy them.
var caring = []func() *cli.Command{
	eraseCommand,
	restoreCommand,
	retainCommand,
}
