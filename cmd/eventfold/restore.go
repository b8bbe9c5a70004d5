package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/cmd/eventfold/internal/wholefile"
	"github.com/eventfold/eventfold/engine"
)

func restoreCommand() *cli.Command {
	return &cli.Command{
		Name:      "restore",
		Usage:     "make a store of a backup, without what was erased since",
		ArgsUsage: "BACKUP DIR",
		Description: "Makes the directory DIR, which must be missing or empty, a store with everything that BACKUP has,\n" +
			"and erases in it what the ledger names, before it gets its name. The ledger is that of --ledger,\n" +
			"or the file BACKUP.ledger, if it is there. Without a ledger nothing is restored, because what was\n" +
			"erased after the backup would be there again. BACKUP stays as it is. Files that never change are\n" +
			"shared with it by links, if both are on one file system.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "ledger", Usage: "the ledger, or the store that has it: `FILE|STORE`"},
			&cli.BoolFlag{Name: "no-ledger", Usage: "restore although nobody knows what was erased since"},
		},
		Action: restore,
	}
}

// restoring is appended to the name of the directory while it is filled.
const restoring = ".restoring"

func restore(ctx context.Context, c *cli.Command) error {
	args, err := arguments(c, "BACKUP", "DIR")
	if err != nil {
		return err
	}
	for _, name := range args {
		if err := refuseCluster(name, "copy makes one of a bucket, and a bucket of one"); err != nil {
			return err
		}
	}
	ledger, err := ledgerOf(c, args[0])
	if err != nil {
		return err
	}
	backup, dir := filepath.Clean(args[0]), filepath.Clean(args[1])
	held, err := wholefile.Hold(dir, restoring+".lock", "restored to") // whose copy would take the place of ours
	if err != nil {
		return err
	}
	defer held.Close()
	if err := backToBackup(dir); err != nil {
		return err
	}
	if err := checkFree(dir); err != nil {
		return err
	}
	report, err := fillRestored(ctx, c, backup, dir+restoring, ledger)
	if err != nil {
		return err
	}
	if err := placeRestored(dir); err != nil {
		return err
	}
	return tellRestored(c, dir, ledger, report)
}

// tellRestored tells what has been restored.
func tellRestored(c *cli.Command, dir, ledger string, report *eventfold.ApplyReport) error {
	head := int64(report.Head.Position)
	result := struct {
		Dir    string   `json:"dir"`
		Events int64    `json:"events"`
		Ledger *applied `json:"ledger,omitempty"`
	}{Dir: dir, Events: head}
	if ledger == "" {
		return tell(c.Root().Writer, c.Bool("json"), result, "%s restored, without a ledger", events(head))
	}
	result.Ledger = newApplied(report)
	return tell(c.Root().Writer, c.Bool("json"), result,
		"%s restored, %d of them erased now and %d before", events(head), report.Erased, report.Before)
}

// ledgerOf returns the name of the ledger that is to be applied, "" if none is wanted.
func ledgerOf(c *cli.Command, backup string) (string, error) {
	switch beside := filepath.Clean(backup) + ".ledger"; {
	case c.Bool("no-ledger") && c.IsSet("ledger"):
		return "", usage("--ledger and --no-ledger exclude each other")
	case c.Bool("no-ledger"):
		return "", nil
	case c.IsSet("ledger"):
		return c.String("ledger"), nil
	default:
		if _, err := os.Stat(beside); err == nil {
			return beside, nil
		}
		return "", usage("what was erased since the backup would be there again: name the store or its ledger "+
			"with --ledger (there is no %s), or say --no-ledger", beside)
	}
}

// checkFree checks that a directory is missing or empty.
func checkFree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && len(entries) > 0 {
		return usage("%s is not empty", dir)
	}
	return err
}

// fillRestored makes a copy of the backup, and applies the ledger to it, which is that of the command's
// input if its name is -.
func fillRestored(
	ctx context.Context, c *cli.Command, backup, dir, ledger string,
) (*eventfold.ApplyReport, error) {
	progress := newProgress(c, "restore", unitBytes, 0)
	defer progress.end()
	report, err := copyBackup(engine.WithProgress(ctx, progress.follow), backup, dir)
	progress.end()
	if err != nil || ledger == "" {
		return report, err
	}
	*report, err = applyLedger(ctx, c, ledger, dir)
	if err != nil {
		_ = os.RemoveAll(dir) // nobody else has it; what remains is replaced the next time
	}
	return report, err
}

// copyBackup copies a backup, or any store, as a store copies itself: whole, and checked. What an
// earlier restore has left is replaced.
func copyBackup(ctx context.Context, backup, dir string) (*eventfold.ApplyReport, error) {
	c, err := eventfold.ParseDSN(backup)
	if err != nil {
		return nil, err
	}
	c.Mode, c.Backup = eventfold.ReadOnly, true
	db := eventfold.OpenDB(c)
	defer db.Close()
	report := &eventfold.ApplyReport{}
	var segments, copied, linked int64
	row := db.QueryRowContext(ctx, "BACKUP TO '"+strings.ReplaceAll(dir, "'", "''")+"'")
	err = row.Scan(&report.Head.Position, &segments, &copied, &linked)
	return report, err
}

// markAside is appended to the name of the directory, and is where the file BACKUP of the copy is while
// that gets its name.
const markAside = restoring + ".BACKUP"

// placeRestored makes a store of the copy beside dir, and gives it that name: the file that tells a
// backup from a store goes. It goes aside first, so that whoever finds a directory of that name finds a
// store, and whoever finds a copy that has no name yet can make it the backup again that the next
// restore replaces. A backup of a store without events is nothing but that file, and remains so.
func placeRestored(dir string) error {
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir+restoring, "MANIFEST")); errors.Is(err, fs.ErrNotExist) {
		return wholefile.Place(dir+restoring, dir)
	}
	if err := setMarkAside(dir); err != nil {
		return err
	}
	if err := wholefile.Place(dir+restoring, dir); err != nil {
		return err
	}
	return os.Remove(dir + markAside)
}

// setMarkAside takes the file BACKUP out of the copy beside dir.
func setMarkAside(dir string) error {
	if err := os.Rename(filepath.Join(dir+restoring, "BACKUP"), dir+markAside); err != nil {
		return err
	}
	return errors.Join(wholefile.SyncDir(filepath.Dir(dir)), wholefile.SyncDir(dir+restoring))
}

// backToBackup puts right what a restore to dir has left that was killed while the copy got its name.
func backToBackup(dir string) error {
	content, err := os.ReadFile(dir + markAside)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !bytes.HasPrefix(content, []byte("EVFBACK1")): // as FORMAT.md has it
		return usage("%s is in the way, and no restore has left it: move it elsewhere", dir+markAside)
	}
	if _, err := os.Stat(dir + restoring); errors.Is(err, fs.ErrNotExist) { // the copy had its name already
		return os.Remove(dir + markAside)
	}
	return wholefile.Place(dir+markAside, filepath.Join(dir+restoring, "BACKUP"))
}
