package main

import (
	"os"
	"strings"

	"github.com/urfave/cli/v3"
)

// storeVariable is the variable of the environment that names the store.
const storeVariable = "EVENTFOLD_STORE"

// storeFlag is the flag --store of commands on a store.
func storeFlag() cli.Flag {
	return &cli.StringFlag{
		Name:  "store",
		Usage: "`STORE`, a directory or data source name; then it is no argument (default: $" + storeVariable + ")",
	}
}

// arguments returns the arguments of a command, which must be as many as the names. Those whose names
// stand in brackets may be missing at the end.
func arguments(c *cli.Command, names ...string) ([]string, error) {
	return checkArguments(c, c.Args().Slice(), names)
}

func checkArguments(c *cli.Command, args, names []string) ([]string, error) {
	see := "see " + c.FullName() + " --help"
	if len(args) > len(names) {
		return nil, usage("nobody knows what %q is for; %s", args[len(names)], see)
	}
	if len(args) < len(names) && !optional(names[len(args)]) {
		return nil, usage("%s is missing; %s", names[len(args)], see)
	}
	return args, nil
}

func optional(name string) bool { return strings.HasPrefix(name, "[") }

// storeArguments returns the store of a command and its other arguments, named as for arguments. The
// store is that of --store; or the first argument; or, if there are only as many arguments as there
// are other names, that of EVENTFOLD_STORE.
func storeArguments(c *cli.Command, names ...string) (store string, args []string, err error) {
	args = c.Args().Slice()
	variable := os.Getenv(storeVariable)
	switch {
	case c.IsSet("store"):
		store = c.String("store")
	case variable != "" && len(args) <= len(names):
		store = variable
	case len(args) == 0:
		return "", nil, usage("STORE is missing: name it as the first argument, with --store, or in %s", storeVariable)
	default:
		store, args = args[0], args[1:]
	}
	args, err = checkArguments(c, args, names)
	return store, args, err
}
