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
	case errors.As(err, new(*eventfold.SealError)):
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

// tellError tells an error in one line.
func tellError(out io.Writer, asJSON bool, err error) {
	if errors.Is(err, context.Canceled) {
		err = errInterrupted
	}
	text := "eventfold: " + strings.TrimPrefix(err.Error(), "eventfold: ")
	if !asJSON {
		fmt.Fprintln(out, text)
		return
	}
	line := struct {
		Error    string `json:"error"`
		SQLState string `json:"sqlstate,omitempty"`
		Exit     int    `json:"exit"`
	}{Error: text, Exit: exitCode(err)}
	var known *eventfold.Error
	if errors.As(err, &known) {
		line.SQLState = known.SQLState()
	}
	_ = json.NewEncoder(out).Encode(line)
}

// events says how many events.
func events(n int64) string {
	if n == 1 {
		return "1 event"
	}
	return fmt.Sprintf("%d events", n)
}

// tell tells a result: the text, or v as JSON.
func tell(out io.Writer, asJSON bool, v any, format string, args ...any) error {
	if asJSON {
		return json.NewEncoder(out).Encode(v)
	}
	_, err := fmt.Fprintf(out, format+"\n", args...)
	return err
}
