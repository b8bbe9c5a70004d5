package main

import "github.com/urfave/cli/v3"

// groups are what eventfold can do. Help lists the commands of each group in this order.
var groups = []struct {
	name     string
	commands []func() *cli.Command
}{
	{"Asking", asking},
	{"Moving and caring", caring},
	{"This program", []func() *cli.Command{versionCommand}},
}

// asking are the commands that ask a store, and append to it.
var asking = []func() *cli.Command{
	queryCommand,
	shellCommand,
	appendCommand,
	tailCommand,
	traceCommand,
	streamsCommand,
	typesCommand,
	statsCommand,
	topCommand,
	plotCommand,
}
