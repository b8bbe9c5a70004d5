package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
)

func backupCommand() *cli.Command {
	return &cli.Command{
		Name:      "backup",
		Usage:     "copy a store, as it is at one moment",
		ArgsUsage: "[STORE] DIR",
		Description: "Makes the directory DIR a backup of the store, while others write to it. DIR may be missing, empty,\n" +
			"or an earlier backup of the store: then only what is new is copied. It is whole, or as it was\n" +
			"before, at any moment. restore makes a store of it.",
		Flags:  []cli.Flag{storeFlag()},
		Action: backup,
	}
}

func backup(ctx context.Context, c *cli.Command) error {
	dsn, args, err := storeArguments(c, "DIR")
	if err == nil {
		err = refuseCluster(args[0], "a backup is one; copy fills a bucket")
	}
	if err != nil {
		return err
	}
	config, err := storeConfig(dsn, eventfold.ReadOnly)
	if err != nil {
		return err
	}
	if isCluster(dsn) { // it is the node's copy that is backed up, which no mode forbids
		config.Mode = eventfold.ReadWriteCreate
	} else {
		config.Backup = true
	}
	db := eventfold.OpenDB(config)
	defer db.Close()
	progress := newProgress(c, "backup", unitBytes, 0)
	defer progress.end()
	ctx = engine.WithProgress(ctx, progress.follow)
	result := struct {
		Dir      string `json:"dir"`
		Events   int64  `json:"events"`
		Segments int64  `json:"segments"`
		Copied   int64  `json:"copied_bytes"`
		Linked   int64  `json:"linked_bytes"`
	}{Dir: args[0]}
	row := db.QueryRowContext(ctx, "BACKUP TO '"+strings.ReplaceAll(args[0], "'", "''")+"'")
	err = row.Scan(&result.Events, &result.Segments, &result.Copied, &result.Linked)
	progress.end()
	if err != nil {
		return err
	}
	shared := ""
	if result.Linked > 0 {
		shared = fmt.Sprintf(", %s shared with the store or the backup before", byteSize(result.Linked))
	}
	return tell(c.Root().Writer, c.Bool("json"), result, "%s backed up to %s: %s copied%s",
		events(result.Events), result.Dir, byteSize(result.Copied), shared)
}

func salvageCommand() *cli.Command {
	return &cli.Command{
		Name:      "salvage",
		Usage:     "save what a damaged store still holds",
		ArgsUsage: "[STORE] DIR",
		Description: "Reads what can be read of a damaged store, which stays as it is, and makes DIR a new store of it.\n" +
			"What is lost is told, by positions and files; the exit code is 4 then.",
		Flags:  []cli.Flag{storeFlag()},
		Action: salvage,
	}
}

// A lostEvents is a gap in what salvage has saved.
type lostEvents struct {
	From   int64  `json:"from"`
	To     int64  `json:"to"` // exclusive
	File   string `json:"file,omitempty"`
	Offset int64  `json:"offset"`
}

// String says it in a line.
func (g lostEvents) String() string {
	text := fmt.Sprintf("lost: position %d", g.From)
	if g.To-g.From > 1 {
		text = fmt.Sprintf("lost: positions %d to %d", g.From, g.To-1)
	}
	if g.File == "" { // no file tells where the damage begins
		return text
	}
	return text + fmt.Sprintf(", %s from byte %d on", g.File, g.Offset)
}

// errLost makes the exit code of a salvage that could not save everything.
type errLost struct{ error }

func salvage(ctx context.Context, c *cli.Command) error {
	dsn, args, err := storeArguments(c, "DIR")
	if err != nil {
		return err
	}
	if err := checkFree(args[0]); err != nil {
		return err
	}
	progress := newProgress(c, "salvage", unitBytes, 0)
	defer progress.end()
	ctx = engine.WithProgress(ctx, progress.follow)
	r, err := eventfold.Salvage(ctx, dsn, args[0])
	progress.end()
	if err != nil {
		return err
	}
	result := struct {
		Dir        string       `json:"dir"`
		Events     int64        `json:"events"`
		Renumbered int64        `json:"renumbered"`
		Erased     int64        `json:"erased"`
		Lost       []lostEvents `json:"lost"`
	}{Dir: args[0], Events: r.Events, Renumbered: r.Renumbered, Erased: r.Erased, Lost: []lostEvents{}}
	text, lost := events(r.Events)+" saved", int64(0)
	for _, g := range r.Gaps {
		gap := lostEvents{int64(g.From), int64(g.To), g.File, g.Offset}
		result.Lost = append(result.Lost, gap)
		lost += gap.To - gap.From
		text += "\n" + gap.String()
	}
	if r.Renumbered > 0 {
		text += fmt.Sprintf("\n%s behind what is lost have other positions", events(r.Renumbered))
	}
	if err := tell(c.Root().Writer, c.Bool("json"), result, "%s", text); err != nil || lost == 0 {
		return err
	}
	return errLost{fmt.Errorf("%s lost", events(lost))}
}
