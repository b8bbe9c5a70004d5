package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/eventfold/eventfold/jetstream"
)

func checkCommand() *cli.Command {
	return &cli.Command{
		Name:      "check",
		Usage:     "look at the servers of a cluster",
		ArgsUsage: "[STORE]",
		Description: "Looks at a bucket, nats://SERVER,SERVER/BUCKET, and its servers: versions, settings, leader,\n" +
			"replicas, missing events, clocks, and with local=DIR how far a node's copy is behind. Whether servers\n" +
			"sync before they acknowledge, and what each replica holds, they tell the user of their system's account\n" +
			"alone: name one with --system. Nothing is changed. The exit code is 1 if something is wrong, 4 if events\n" +
			"are missing. doctor looks at a directory.",
		Flags: []cli.Flag{
			storeFlag(),
			&cli.StringFlag{Name: "system", Usage: "`USER:PASSWORD` of the system's account"},
			&cli.StringFlag{Name: "system-creds", Usage: "`FILE` with credentials of the system's account"},
		},
		Action: check,
	}
}

func check(ctx context.Context, c *cli.Command) error {
	dsn, _, err := storeArguments(c)
	if err != nil {
		return err
	}
	if !isCluster(dsn) {
		return usage("check looks at a bucket, such as nats://localhost:4222/main; doctor looks at a directory")
	}
	config, err := bucketConfig(dsn)
	if err != nil {
		return err
	}
	findings, err := checkAll(ctx, c, config)
	if err != nil {
		return err
	}
	return tellFindings(c, findings)
}

// checkAll asks as the user of the bucket and, if one is named, as one of the system's account.
func checkAll(ctx context.Context, c *cli.Command, config jetstream.Config) ([]jetstream.Finding, error) {
	if !c.IsSet("system") && !c.IsSet("system-creds") {
		findings, err := jetstream.Check(ctx, config)
		unseen := jetstream.Finding{What: "sync_interval", State: jetstream.Doubtful,
			Text: "not seen, nor what each replica holds: name a user of the system's account with --system"}
		return append(findings, unseen), err
	}
	system, err := asSystem(config, c.String("system"), c.String("system-creds"))
	if err != nil {
		return nil, err
	}
	findings, err := jetstream.Check(ctx, config)
	if err != nil {
		return nil, err
	}
	more, err := jetstream.CheckServers(ctx, system)
	return append(findings, more...), err
}

// errDamaged makes the exit code of what has found damage.
type errDamaged struct{ error }

// tellFindings tells what was found, and returns an error if something is wrong.
func tellFindings(c *cli.Command, findings []jetstream.Finding) error {
	bad, damaged := 0, 0
	for _, f := range findings {
		switch f.State {
		case jetstream.Wrong:
			bad++
		case jetstream.Damaged:
			bad, damaged = bad+1, damaged+1
		}
		text := fmt.Sprintf("%-8s %s: %s", f.State, f.What, f.Text)
		if err := tell(c.Root().Writer, c.Bool("json"), f, "%s", text); err != nil {
			return err
		}
	}
	switch {
	case damaged > 0:
		return errDamaged{errors.New("events are missing")}
	case bad == 1:
		return errors.New("one thing is wrong")
	case bad > 1:
		return fmt.Errorf("%d things are wrong", bad)
	}
	return nil
}
