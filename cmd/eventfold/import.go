package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v3"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/cmd/eventfold/internal/transfer"
)

func importCommand() *cli.Command {
	return &cli.Command{
		Name:      "import",
		Usage:     "append the events of a file",
		ArgsUsage: "[STORE] FILE",
		Description: "Appends the events of FILE, which export or somebody else has written, with their ids, times,\n" +
			"and bytes, and into a store without events with their positions and versions, too. FILE is - for\n" +
			"standard input. The store is made if it is not there. Events whose ids it has are left out: an\n" +
			"import that was killed is run again.",
		Flags: []cli.Flag{
			storeFlag(),
			formatFlag(),
			&cli.StringFlag{Name: "stream", Usage: "`STREAM` of events that name none"},
		},
		Action: runImport,
	}
}

// An imported is what import tells.
type imported struct {
	Read     int64 `json:"read"`
	Appended int64 `json:"appended"`
	Present  int64 `json:"present"`
	LeftOut  int64 `json:"left_out"`
	Redacted int64 `json:"redacted"`
	Retimed  int64 `json:"retimed"`
	Exact    bool  `json:"exact"`
	Head     int64 `json:"head"`
}

func runImport(ctx context.Context, c *cli.Command) error {
	dsn, args, err := storeArguments(c, "FILE")
	if err != nil {
		return err
	}
	format, _, err := transfer.FormatOf(c.String("format"), args[0])
	if err != nil {
		return usageError{err}
	}
	progress := newProgress(c, "import", "events", 0)
	defer progress.end()
	in, err := openImported(ctx, c, args[0], format, progress)
	if err != nil {
		return err
	}
	if in != nil {
		defer in.Close()
	}
	from := transfer.Read(args[0], in, format, transfer.ReadOptions{Stream: c.String("stream")})
	r, err := eventfold.Import(ctx, dsn, progress.each(from), nil)
	progress.end()
	if err != nil {
		if r.Appended > 0 {
			return fmt.Errorf("%w (%s imported until then; run it again to go on)", err, events(r.Appended))
		}
		return err
	}
	i := imported{r.Read, r.Appended, r.Present, r.LeftOut, r.Redacted, r.Retimed, r.Exact, int64(r.Head)}
	return tell(c.Root().Writer, c.Bool("json"), i, "%s", i)
}

// openImported opens the text that is imported, which may come from a pipe; a file of another format
// is read by its name, and nil is returned. The progress is told how much there is, if that is known.
func openImported(
	ctx context.Context, c *cli.Command, name string, format *transfer.Format, p *progress,
) (io.ReadCloser, error) {
	switch {
	case name == "-" && !format.Text:
		return nil, usage("%s cannot be read from a pipe: name the file", format.Name)
	case name == "-":
		return io.NopCloser(interruptible(ctx, p.reading(c.Root().Reader))), nil
	case format.Text:
		in, err := openInput(ctx, name)
		if err != nil {
			return nil, err
		}
		return &struct {
			io.Reader
			io.Closer
		}{p.reading(in), in}, nil
	}
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = usage("%s is no file, which %s is read from", name, format.Name)
	}
	if err == nil {
		p.total(transfer.Count(ctx, name, format))
	}
	return nil, err
}

// String says it in sentences.
func (i imported) String() string {
	text := events(i.Appended) + " imported"
	if i.Present > 0 {
		text += fmt.Sprintf(", %d were there", i.Present)
	}
	if i.Exact && i.Read > 0 {
		text += ", each at the position that it had"
	}
	if i.Redacted > 0 {
		text += fmt.Sprintf("\n%s of them erased", events(i.Redacted))
	}
	if i.LeftOut > 0 {
		text += fmt.Sprintf("\n%s of the other store's own streams left out: they name positions", events(i.LeftOut))
	}
	if i.Retimed > 0 {
		text += fmt.Sprintf("\n%s older than the store's last one, with the time of that", events(i.Retimed))
	}
	return text
}
