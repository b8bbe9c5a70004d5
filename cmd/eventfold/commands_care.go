package main

import "github.com/urfave/cli/v3"

// caring are the commands that move events, check them, and destroy them.
var caring = []func() *cli.Command{
	exportCommand,
	importCommand,
	copyCommand,
	replicateCommand,
	verifyCommand,
	receiptCommand,
	backupCommand,
	restoreCommand,
	salvageCommand,
	eraseCommand,
	retainCommand,
	keysCommand,
	projectionsCommand,
	doctorCommand,
	checkCommand,
}
