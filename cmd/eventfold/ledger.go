package main

import (
	"bytes"
	"context"
	"io"
	"os"

	"github.com/urfave/cli/v3"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/cmd/eventfold/internal/wholefile"
	"github.com/eventfold/eventfold/engine"
)

// openLedger opens a ledger: a file, - for in, or that of the store in a directory.
func openLedger(ctx context.Context, in io.Reader, name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(interruptible(ctx, in)), nil
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return openInput(ctx, name)
	}
	var b bytes.Buffer
	if err := eventfold.WriteLedger(ctx, name, &b); err != nil {
		return nil, err
	}
	return io.NopCloser(&b), nil
}

// applyLedger applies a ledger, by its name as openLedger takes it, to a copy, and tells how far that
// is.
func applyLedger(ctx context.Context, c *cli.Command, name, dir string) (eventfold.ApplyReport, error) {
	progress := newProgress(c, "apply the ledger", unitBytes, 0)
	defer progress.end()
	ledger, err := openLedger(ctx, c.Root().Reader, name)
	if err != nil {
		return eventfold.ApplyReport{}, err
	}
	defer ledger.Close()
	return eventfold.ApplyErasures(engine.WithProgress(ctx, progress.follow), ledger, dir)
}

// writeLedger writes the ledger of a store to a file, which is the earlier one or the whole new one
// at any moment; or to out, if its name is -.
func writeLedger(ctx context.Context, dsn, name string, out io.Writer) error {
	if name == "-" {
		return eventfold.WriteLedger(ctx, dsn, out)
	}
	return wholefile.Write(name, wholefile.Private, func(w io.Writer) error {
		return eventfold.WriteLedger(ctx, dsn, w)
	})
}

// An applied is an ApplyReport as JSON.
type applied struct {
	Store  string `json:"store"`
	Head   int64  `json:"head"`
	Named  int64  `json:"named"`
	Erased int64  `json:"erased"`
	Before int64  `json:"erased_before"`
	Beyond int64  `json:"not_in_copy"`
	// Readers are processes that have an old file open.
	Readers []int `json:"readers,omitempty"`
}

func newApplied(r *eventfold.ApplyReport) *applied {
	return &applied{r.Store.String(), int64(r.Head.Position), r.Named, r.Erased, r.Before, r.Beyond, r.Readers}
}
