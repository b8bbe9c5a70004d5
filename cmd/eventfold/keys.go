package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/shred"
)

// passphraseVariable is the variable of the environment with the passphrase of epoch keys: on a
// command line every user of the machine could read it.
const passphraseVariable = "EVENTFOLD_PASSPHRASE"

func keysCommand() *cli.Command {
	flags := func(more ...cli.Flag) []cli.Flag {
		return append([]cli.Flag{
			&cli.StringFlag{Name: "keyring", Usage: "the `DIR` of the keyring, a shred.File", Required: true},
			&cli.StringFlag{Name: "epochs", Usage: "the `DIR` of its epoch keys", Required: true},
		}, more...)
	}
	return &cli.Command{
		Name:  "keys",
		Usage: "look after the keys of sealed values",
		Description: "For keyrings in files (package shred). A passphrase of the epoch keys stands in the variable\n" +
			passphraseVariable + ". No command shows a key.",
		Action: unknownBelow,
		Commands: []*cli.Command{
			{
				Name: "list", Usage: "list subjects", ArgsUsage: "[PREFIX]", Flags: flags(), Action: listKeys,
				Description: "Lists the subjects whose names begin with PREFIX: which of them are forgotten, when, and why.",
			},
			{
				Name: "rotate", Usage: "wrap all keys anew", Flags: flags(), Action: rotateKeys,
				Description: "Wraps all keys under a new epoch key and destroys the one before, so that no copy of the keyring\n" +
					"from before can be opened. What is sealed stays as it is.",
			},
			{
				Name: "forget", Usage: "destroy the keys of a subject", ArgsUsage: "[STORE] SUBJECT", Action: forgetSubject,
				Description: "Destroys the key of SUBJECT, so that nobody can read what was sealed for it, in any copy, and has\n" +
					"the store tell of it. There is no way back.",
				Flags: flags(storeFlag(),
					&cli.StringFlag{Name: "reason", Usage: "why, `TEXT` that stays for ever; nothing personal"},
					&cli.StringFlag{Name: "actor", Usage: "who, `TEXT` that stays for ever"}),
			},
		},
	}
}

// unknownBelow is what happens without a command of a group that is known.
func unknownBelow(_ context.Context, c *cli.Command) error {
	if c.Args().Present() {
		return usage("there is no command %q; see eventfold %s --help", c.Args().First(), c.Name)
	}
	return cli.ShowSubcommandHelp(c)
}

// openKeyring opens the keyring of the flags, which must be there.
func openKeyring(ctx context.Context, c *cli.Command, readOnly bool) (*shred.File, error) {
	for _, flag := range []string{"keyring", "epochs"} { // which would be made otherwise
		if _, err := os.Stat(c.String(flag)); err != nil {
			return nil, err
		}
	}
	epochs, err := shred.OpenEpochFiles(c.String("epochs"), os.Getenv(passphraseVariable))
	if err != nil {
		return nil, err
	}
	return shred.OpenFile(ctx, shred.FileOptions{Dir: c.String("keyring"), Epochs: epochs, ReadOnly: readOnly})
}

// A subjectKeys tells of a subject of a keyring.
type subjectKeys struct {
	Subject     string     `json:"subject"`
	Revision    int        `json:"revision"`
	Forgotten   bool       `json:"forgotten"`
	ForgottenAt *time.Time `json:"forgotten_at,omitempty"` // last
	Reason      string     `json:"reason,omitempty"`
}

func listKeys(ctx context.Context, c *cli.Command) (err error) {
	args, err := arguments(c, "[PREFIX]")
	if err != nil {
		return err
	}
	prefix := ""
	if len(args) > 0 {
		prefix = args[0]
	}
	keys, err := openKeyring(ctx, c, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, keys.Close()) }()
	list, err := keys.Subjects(ctx, prefix)
	if err != nil {
		return err
	}
	for _, s := range list {
		k := subjectKeys{Subject: s.Subject, Revision: s.Revision, Forgotten: s.Forgotten}
		text := fmt.Sprintf("%s: key %d", s.Subject, s.Revision)
		if n := len(s.Fences); n > 0 {
			last := s.Fences[n-1]
			k.ForgottenAt, k.Reason = &last.At, last.Reason
			text += fmt.Sprintf(", key %d forgotten at %s: %s", last.Revision, last.At.Format(time.RFC3339), last.Reason)
		}
		if err := tell(c.Root().Writer, c.Bool("json"), k, "%s", text); err != nil {
			return err
		}
	}
	return nil
}

func rotateKeys(ctx context.Context, c *cli.Command) (err error) {
	if _, err := arguments(c); err != nil {
		return err
	}
	keys, err := openKeyring(ctx, c, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, keys.Close()) }()
	progress := newProgress(c, "rotate", "", 0)
	defer progress.end()
	err = keys.Rotate(ctx)
	progress.end()
	if err != nil {
		return err
	}
	done := struct {
		Rotated bool `json:"rotated"`
	}{true}
	return tell(c.Root().Writer, c.Bool("json"), done, "all keys wrapped anew; no copy from before can be opened")
}

func forgetSubject(ctx context.Context, c *cli.Command) (err error) {
	dsn, args, err := storeArguments(c, "SUBJECT")
	if err != nil {
		return err
	}
	if c.String("reason") == "" {
		return usage("--reason is missing: say why, without anything personal")
	}
	config, err := storeConfig(dsn, eventfold.ReadWrite)
	if err != nil {
		return err
	}
	if c.IsSet("actor") {
		config.Actor = c.String("actor")
	}
	keys, err := openKeyring(ctx, c, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, keys.Close()) }()
	config.Keyring = keys
	db := eventfold.OpenDB(config)
	defer db.Close()
	result, err := db.ExecContext(ctx, "FORGET SUBJECT ? REASON ?", args[0], c.String("reason"))
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err != nil {
		return err
	}
	done := struct {
		Subject   string `json:"subject"`
		Forgotten bool   `json:"forgotten"` // by this run
	}{args[0], n > 0}
	if n == 0 {
		return tell(c.Root().Writer, c.Bool("json"), done, "%s was forgotten before", args[0])
	}
	return tell(c.Root().Writer, c.Bool("json"), done, "%s forgotten", args[0])
}
