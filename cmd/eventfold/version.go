package main

import (
	"context"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v3"

	"github.com/eventfold/eventfold"
)

func versionCommand() *cli.Command {
	return &cli.Command{
		Name:        "version",
		Usage:       "tell the version",
		Description: "Tells the version of eventfold, and what the program was built of and with.",
		Action:      tellVersion,
	}
}

// A build is what version tells.
type build struct {
	Version  string `json:"version"`
	Module   string `json:"module,omitempty"` // version of the command's module, if it is a released one
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"`     // of the revision
	Modified bool   `json:"modified,omitempty"` // the tree was not that of the revision
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func tellVersion(_ context.Context, c *cli.Command) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	b := thisBuild()
	text := "eventfold " + b.Version
	if b.Revision != "" {
		text += " (" + b.Revision[:min(len(b.Revision), 12)]
		if b.Modified {
			text += ", modified"
		}
		text += ")"
	}
	return tell(c.Root().Writer, c.Bool("json"), b, "%s, %s, %s", text, b.Go, b.Platform)
}

// thisBuild returns what is known of the running program.
func thisBuild() *build {
	b := &build{
		Version: eventfold.ModuleVersion, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "(devel)" {
		b.Module = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}
