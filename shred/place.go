package shred

import (
	"encoding/json"
	"strconv"
	"strings"
)

// A Place is where a sealed value stands. The value opens nowhere else.
type Place struct {
	Stream string // of the event
	Type   string // of the event
	// Path leads to the value in the event's payload, as in SQL: $ is the payload, then .key,
	// ."key" or ["key"] for a member and [n] for an element, from 0. metadata$ is the metadata. ""
	// means $.
	Path string
}

// canonical returns the place with its path in the one form that is authenticated.
func (p Place) canonical() (Place, error) {
	root, steps := "$", strings.TrimPrefix(p.Path, "metadata")
	if steps != p.Path {
		root = metadataRoot
	}
	if p.Path == "" {
		steps = "$"
	}
	steps, ok := strings.CutPrefix(steps, "$")
	path := root
	for ok && steps != "" {
		var step string
		if step, steps, ok = cutStep(steps); ok {
			path += step
		}
	}
	if !ok {
		return p, &ArgumentError{What: "path " + strconv.Quote(p.Path), Reason: pathForm}
	}
	p.Path = path
	return p, nil
}

// metadataRoot is what paths into metadata begin with.
const metadataRoot = "metadata$"

// pathForm says what a path is.
const pathForm = `is none: it is $ or metadata$, then .key, ."key", ["key"] or [n]`

// cutStep cuts the first step off and returns it in canonical form.
func cutStep(s string) (step, rest string, ok bool) {
	switch {
	case strings.HasPrefix(s, `."`):
		key, rest, ok := cutQuoted(s[1:])
		return memberStep(key), rest, ok
	case strings.HasPrefix(s, `["`):
		key, rest, ok := cutQuoted(s[1:])
		rest, closed := strings.CutPrefix(rest, "]")
		return memberStep(key), rest, ok && closed
	case s[0] == '.':
		end := strings.IndexAny(s[1:], ".[") + 1
		if end == 0 {
			end = len(s)
		}
		return memberStep(s[1:end]), s[end:], end > 1
	case s[0] == '[':
		digits, rest, closed := strings.Cut(s[1:], "]")
		n, err := strconv.ParseUint(digits, 10, 63)
		return elementStep(int(n)), rest, closed && err == nil && int(n) >= 0
	}
	return "", "", false
}

// cutQuoted cuts a JSON string off.
func cutQuoted(s string) (text, rest string, ok bool) {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			err := json.Unmarshal([]byte(s[:i+1]), &text)
			return text, s[i+1:], err == nil
		}
	}
	return "", "", false
}

// memberStep is the step to a member of an object.
func memberStep(key string) string {
	quoted, err := json.Marshal(string([]rune(key))) // in UTF-8, whatever it was
	if err != nil {
		panic(err) // a string always has a JSON
	}
	return "." + string(quoted)
}

// elementStep is the step to an element of an array.
func elementStep(n int) string { return "[" + strconv.Itoa(n) + "]" }

// bound is what is authenticated beside a value. The place must be canonical.
func (p Place) bound(subject string, revision int) []byte {
	return bind("EVFSEALED1", uint64(revision), p.Stream, p.Type, p.Path, subject)
}
