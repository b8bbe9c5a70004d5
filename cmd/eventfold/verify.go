package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/cmd/eventfold/internal/wholefile"
	"github.com/eventfold/eventfold/engine"
)

func verifyCommand() *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "read every byte of a store and check it",
		ArgsUsage: "[STORE]",
		Description: "Checks every checksum, the chain over all commits, versions, erasures and indexes, and with\n" +
			"--receipt that nothing which was there then has been changed since. It may run beside others.\n" +
			"Of a bucket, nats://SERVER/BUCKET, it reads what the servers hold. With --against the store is\n" +
			"compared with another one, as far as both go: by a receipt of both, or event by event. Damage is an\n" +
			"error, and so is the first event that differs, with exit code 4.",
		Flags: []cli.Flag{
			storeFlag(),
			&cli.StringFlag{Name: "receipt", Usage: "compare with the receipt in `FILE`, or with the receipt itself"},
			&cli.StringFlag{Name: "against", Usage: "compare with another `STORE`: a copy, a node's directory, or a bucket"},
		},
		Action: verify,
	}
}

func receiptCommand() *cli.Command {
	return &cli.Command{
		Name:      "receipt",
		Usage:     "print what proves later that nothing was changed",
		ArgsUsage: "[STORE] [FILE]",
		Description: "Prints the head of the store: how many events it has, and a value that depends on every one of\n" +
			"them. Keep it elsewhere; verify --receipt compares it. With FILE it is written there.",
		Flags:  []cli.Flag{storeFlag()},
		Action: receipt,
	}
}

// A verified is what verify tells.
type verified struct {
	Events         int64  `json:"events"`
	Segments       int64  `json:"segments"`
	Frames         int64  `json:"frames"`
	Bytes          int64  `json:"bytes"`
	Indexes        int64  `json:"indexes"`
	DamagedIndexes int64  `json:"damaged_indexes"`
	Receipt        string `json:"receipt,omitempty"`

	Against *compared `json:"against,omitempty"`
}

func verify(ctx context.Context, c *cli.Command) error {
	dsn, _, err := storeArguments(c)
	if err != nil {
		return err
	}
	if isCluster(dsn) {
		return verifyBucket(ctx, c, dsn)
	}
	config, err := storeConfig(dsn, eventfold.ReadOnly)
	if err != nil {
		return err
	}
	var v verified
	if c.IsSet("receipt") {
		if v.Receipt, err = readReceipt(ctx, c.String("receipt")); err != nil {
			return err
		}
		if config.Expect, err = parseHead(v.Receipt); err != nil {
			return usage("the receipt %q: %w", v.Receipt, err)
		}
	}
	db := eventfold.OpenDB(config)
	defer db.Close()
	progress := newProgress(c, "verify", unitBytes, 0)
	defer progress.end()
	ctx = engine.WithProgress(ctx, progress.follow)
	var result string
	err = db.QueryRowContext(ctx, "VERIFY").Scan(
		&result, &v.Events, &v.Segments, &v.Frames, &v.Bytes, &v.Indexes, &v.DamagedIndexes)
	progress.end()
	if err == nil && c.IsSet("against") {
		v.Against, err = verifyAgainst(ctx, c, dsn, c.String("against"))
	}
	if err != nil {
		return err
	}
	return tell(c.Root().Writer, c.Bool("json"), v, "%s", v)
}

// String says it in sentences.
func (v verified) String() string {
	text := fmt.Sprintf("%s in %s checked, %s", events(v.Events), plural(v.Segments, "segment"), byteSize(v.Bytes))
	if v.Receipt != "" {
		position, _, _ := strings.Cut(v.Receipt, ":")
		text += "; the first " + position + " are those of the receipt"
	}
	if v.Against != nil {
		text += "\n" + v.Against.String()
	}
	if v.DamagedIndexes > 0 {
		text += fmt.Sprintf("\n%d index files are damaged. No event is harmed: "+
			"they are made anew by who writes next", v.DamagedIndexes)
	}
	return text
}

// readReceipt returns the receipt in a file, or that the text is.
func readReceipt(ctx context.Context, name string) (string, error) {
	b, err := readInput(ctx, name)
	if err == nil {
		return strings.TrimSpace(string(b)), nil
	}
	if _, errHead := parseHead(name); errHead == nil {
		return name, nil
	}
	return "", err
}

func receipt(ctx context.Context, c *cli.Command) error {
	dsn, args, err := storeArguments(c, "[FILE]")
	if err != nil {
		return err
	}
	db, err := openStore(dsn, eventfold.ReadOnly, "")
	if err != nil {
		return err
	}
	defer db.Close()
	head, err := headOf(ctx, db)
	if err != nil {
		return err
	}
	r := struct {
		Receipt string `json:"receipt"`
		File    string `json:"file,omitempty"`
	}{Receipt: head}
	if len(args) == 0 {
		return tell(c.Root().Writer, c.Bool("json"), r, "%s", head)
	}
	r.File = args[0]
	if err := wholefile.Write(args[0], wholefile.Private, wholefile.Content([]byte(head+"\n"))); err != nil {
		return err
	}
	return tell(c.Root().Writer, c.Bool("json"), r, "receipt %s written to %s", head, args[0])
}
