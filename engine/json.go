package engine

import "github.com/eventfold/eventfold/internal/jsontext"

// ValidJSON reports whether b is one valid JSON value, exactly as json.Valid does, but several times faster. It decides
// which payloads count as JSON.
func ValidJSON(b []byte) bool { return jsontext.Valid(b) }
