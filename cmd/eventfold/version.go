package main

import (
	"context"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v3"
)

func versionCommand() *cli.Command {
	return &cli.Command{
		Name:   "version",
		Usage:  "tell the version",
		Action: tellVersion,
	}
}

func tellVersion(_ context.Context, c *cli.Command) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	v := struct {
		Version  string `json:"version"`
		Go       string `json:"go"`
		Platform string `json:"platform"`
	}{"(devel)", runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	return tell(c.Root().Writer, c.Bool("json"), v, "eventfold %s, %s, %s", v.Version, v.Go, v.Platform)
}
