package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/cmd/eventfold/internal/wholefile"
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/jetstream"
)

// The exit codes.
const (
	exitOK       = 0
	exitError    = 1
	exitUsage    = 2
	exitConflict = 3
	exitDamage   = 4
)

// exitCodes are those of kinds of errors; others are exitError.
var exitCodes = map[eventfold.Code]int{
	eventfold.ErrConfig:          exitUsage,
	eventfold.ErrVersionConflict: exitConflict,
	eventfold.ErrConditionFailed: exitConflict,
	eventfold.ErrDuplicateEvent:  exitConflict,
	eventfold.ErrLocked:          exitConflict,
	eventfold.ErrMoved:           exitConflict,
	eventfold.ErrCorrupt:         exitDamage,
}

// exitCode returns the exit code for an error.
func exitCode(err error) int {
	var known *eventfold.Error
	switch {
	case errors.As(err, new(usageError)):
		return exitUsage
	case errors.As(err, new(*eventfold.LedgerError)):
		return exitDamage
	case errors.As(err, new(*eventfold.HeadError)), errors.As(err, new(errLost)):
		return exitDamage
	case errors.As(err, new(errDamaged)), errors.As(err, new(*jetstream.DamagedError)),
		errors.As(err, new(*eventfold.CorruptError)):
		return exitDamage
	case errors.As(err, new(*engine.LockedError)), errors.Is(err, jetstream.ErrContended):
		return exitConflict
	case errors.As(err, new(*eventfold.SealError)), errors.As(err, new(*wholefile.BusyError)):
		return exitConflict
	case errors.As(err, &known):
		if code, ok := exitCodes[known.Code]; ok {
			return code
		}
	}
	return exitError
}

// wantsJSON reports whether errors are to be told as JSON, also if the command line cannot be read.
func wantsJSON(args []string) bool {
	return slices.Contains(args, "--json") || slices.Contains(args, "-json")
}

// tellError tells an error in one line, and below it where in a statement it is.
func tellError(out io.Writer, asJSON bool, err error) {
	text := strings.TrimPrefix(err.Error(), "eventfold: ")
	text = strings.ReplaceAll(text, ": eventfold: ", ": ") // that of an error in another
	if errors.Is(err, context.Canceled) {
		text = interruptedText(text)
	}
	text = "eventfold: " + text
	var known *eventfold.Error
	ours := errors.As(err, &known)
	if !asJSON {
		fmt.Fprintln(out, safe(strings.ReplaceAll(text, "\n", "; "))) // between joined errors
		if ours && known.SQL != "" {
			fmt.Fprintln(out, safeLines(known.SQL))
		}
		return
	}
	line := struct {
		Error    string `json:"error"`
		SQLState string `json:"sqlstate,omitempty"`
		Line     int    `json:"line,omitempty"`
		Column   int    `json:"column,omitempty"`
		Exit     int    `json:"exit"`
	}{Error: text, Exit: exitCode(err)}
	if ours {
		line.SQLState, line.Line, line.Column = known.SQLState(), known.Line, known.Column
	}
	_ = json.NewEncoder(out).Encode(line)
}

// interruptedText says of an error that there was a signal, and keeps what else it says: how far a
// command has come.
func interruptedText(text string) string {
	const interrupted = "interrupted"
	if cause := context.Canceled.Error(); strings.Contains(text, cause) {
		return strings.ReplaceAll(text, cause, interrupted)
	}
	return interrupted + ": " + text
}

// events says how many events.
func events(n int64) string {
	if n == 1 {
		return "1 event"
	}
	return fmt.Sprintf("%d events", n)
}

// tell tells a result: the text, made harmless, or v as JSON.
func tell(out io.Writer, asJSON bool, v any, format string, args ...any) error {
	if asJSON {
		return json.NewEncoder(out).Encode(v)
	}
	_, err := fmt.Fprintln(out, safeLines(fmt.Sprintf(format, args...)))
	return err
}
