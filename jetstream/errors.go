package jetstream

import (
	"errors"
	"fmt"

	"github.com/eventfold/eventfold/engine"
)

// ErrContended reports that others have appended between each of many looks at the log and the
// append whose conditions were to hold for it. Nothing was written. Try again later, or name in the
// conditions the streams that the append writes to: only these have to stand still then.
var ErrContended = errors.New("eventfold: others have appended whenever the append's conditions had been looked at")

// A ConfigError says which setting is wrong, of a Config or of the servers, and what to write
// instead.
type ConfigError struct {
	Setting string
	Reason  string
}

// Error implements error.
func (e *ConfigError) Error() string { return fmt.Sprintf("eventfold: %s %s", e.Setting, e.Reason) }

// A DamagedError reports that the stream does not hold what it has held, or holds what no node has
// appended. Reading of what the local copy has goes on; nothing is appended or followed any more.
type DamagedError struct {
	Stream   string // of JetStream
	Position engine.Position
	Reason   string
	Err      error // may be nil
}

// Error implements error.
func (e *DamagedError) Error() string {
	text := fmt.Sprintf("eventfold: stream %s is damaged at position %d: %s", e.Stream, e.Position, e.Reason)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the error behind it.
func (e *DamagedError) Unwrap() error { return e.Err }

// An apiError is the refusal of a server. It does not prove that nothing was stored.
type apiError struct {
	Code        int    `json:"code"`
	ErrCode     int    `json:"err_code"`
	Description string `json:"description"`
}

func (e *apiError) Error() string { return fmt.Sprintf("nats: %s (%d)", e.Description, e.ErrCode) }
