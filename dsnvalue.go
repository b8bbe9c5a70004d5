package eventfold

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/eventfold/eventfold/engine"
)

// A kind is how values of one type are written in a DSN.
type kind[T comparable] struct {
	doc    string
	parse  func(value string) (T, error)
	format func(v T) string
	// of a value in a Config that is not the zero one; nil if all are allowed
	check func(name string, v T) error
}

// A choice is one word and the value that it stands for.
type choice[T comparable] struct {
	word  string
	value T
}

// words are the kind of a key that takes one of a few words. The first stands for the zero value.
func words[T comparable](choices ...choice[T]) kind[T] {
	names := make([]string, len(choices))
	byWord, byValue := make(map[string]T), make(map[T]string)
	for i, c := range choices {
		names[i] = c.word
		byWord[c.word], byValue[c.value] = c.value, c.word
	}
	doc := strings.Join(names, ", ")
	return kind[T]{
		doc: doc,
		parse: func(word string) (T, error) {
			v, ok := byWord[word]
			if !ok {
				return v, fmt.Errorf("it must be one of %s", doc)
			}
			return v, nil
		},
		format: func(v T) string { return byValue[v] },
		check: func(name string, v T) error {
			if byValue[v] == "" {
				return fmt.Errorf("%s has no value %v", name, v)
			}
			return nil
		},
	}
}

// sizes are the kind of a key that takes a number of bytes from least to most; 0 for both leaves it
// open.
func sizes[T ~int | ~int64](least, most T) kind[T] {
	return kind[T]{
		doc: "bytes, or a number with KiB, MiB or GiB",
		parse: func(value string) (T, error) {
			n, err := parseSize(value)
			if err == nil && most != 0 && (n < int64(least) || n > int64(most)) {
				return 0, fmt.Errorf("it must be from %s to %s", formatSize(int64(least)),
					formatSize(int64(most)))
			}
			return T(n), err
		},
		format: func(v T) string { return formatSize(int64(v)) },
		check: func(name string, v T) error {
			switch {
			case most != 0 && (v < least || v > most):
				return fmt.Errorf("%s is %d, it must be from %d to %d bytes", name, v, least, most)
			case v < 0:
				return fmt.Errorf("%s is %d, it must not be negative", name, v)
			}
			return nil
		},
	}
}

// rooms are sizes of which a negative one, which is written 0, stands for none.
var rooms = kind[int64]{
	doc: "bytes, or a number with KiB, MiB or GiB; 0 for none",
	parse: func(value string) (int64, error) {
		if value == "0" {
			return -1, nil
		}
		return parseSize(value)
	},
	format: func(n int64) string {
		if n < 0 {
			return "0"
		}
		return formatSize(n)
	},
}

// directories are paths.
var directories = textKind("the path of a directory", directoryFault)

// textKind are texts of which fault says what is wrong with one, "" for nothing.
func textKind(doc string, fault func(string) string) kind[string] {
	return kind[string]{
		doc: doc,
		parse: func(value string) (string, error) {
			if what := fault(value); what != "" {
				return "", fmt.Errorf("it %s", what)
			}
			return value, nil
		},
		format: func(value string) string { return value },
		check: func(name, value string) error {
			if what := fault(value); what != "" {
				return fmt.Errorf("%s %s", name, what)
			}
			return nil
		},
	}
}

// directoryFault says what is wrong with the path of a directory, "" for nothing.
func directoryFault(path string) string {
	switch {
	case path == "":
		return "must not be empty"
	case strings.IndexByte(path, 0) >= 0:
		return "must not hold a NUL"
	}
	return ""
}

// patience is how long to wait: a negative duration, which is written 0, stands for not at all.
var patience = kind[time.Duration]{
	doc: "a duration such as 5s; 0 for not at all",
	parse: func(value string) (time.Duration, error) {
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 {
			return 0, fmt.Errorf("it must be a duration such as 500ms or 5s, or 0")
		}
		if d == 0 {
			d = -1
		}
		return d, nil
	},
	format: func(d time.Duration) string {
		if d < 0 {
			return "0"
		}
		return d.String()
	},
}

// intervals are positive durations.
var intervals = kind[time.Duration]{
	doc: "a positive duration such as 10ms",
	parse: func(value string) (time.Duration, error) {
		d, err := time.ParseDuration(value)
		if err != nil || d <= 0 {
			return 0, fmt.Errorf("it must be a positive duration such as 10ms")
		}
		return d, nil
	},
	format: time.Duration.String,
	check: func(name string, d time.Duration) error {
		if d < 0 {
			return fmt.Errorf("%s is %v, it must not be negative", name, d)
		}
		return nil
	},
}

// counts are positive numbers of appends.
var counts = kind[int]{
	doc: "a positive number of appends",
	parse: func(value string) (int, error) {
		n, err := strconv.Atoi(value)
		if err != nil || n <= 0 {
			return 0, fmt.Errorf("it must be a positive number of appends")
		}
		return n, nil
	},
	format: strconv.Itoa,
	check: func(name string, n int) error {
		if n < 0 {
			return fmt.Errorf("%s is %d, it must not be negative", name, n)
		}
		return nil
	},
}

// actors are names of whoever erases.
var actors = textKind("who erases, up to 255 bytes", actorFault)

// actorFault says what is wrong with an actor, "" for nothing.
func actorFault(name string) string {
	switch {
	case name == "":
		return "must not be empty"
	case len(name) > engine.MaxActorSize:
		return fmt.Sprintf("must have at most %d bytes", engine.MaxActorSize)
	case !utf8.ValidString(name):
		return "must be valid UTF-8"
	case strings.IndexByte(name, 0) >= 0:
		return "must not hold a NUL"
	}
	return ""
}

// heads are a position and the chain value there: 1000:9f86d0…
var heads = kind[engine.Head]{
	doc: "a position, a colon, and 64 hexadecimal digits of the chain",
	parse: func(value string) (head engine.Head, err error) {
		position, chain, _ := strings.Cut(value, ":")
		p, err := strconv.ParseUint(position, 10, 63)
		b, errChain := hex.DecodeString(chain)
		if err != nil || errChain != nil || len(b) != len(head.Chain) || p == 0 {
			const form = "it must be a position, a colon and %d hexadecimal digits"
			return head, fmt.Errorf(form, 2*len(head.Chain))
		}
		return engine.Head{Position: engine.Position(p), Chain: [32]byte(b)}, nil
	},
	format: func(h engine.Head) string { return fmt.Sprintf("%d:%x", h.Position, h.Chain) },
	check: func(name string, h engine.Head) error {
		if h.Position < 1 {
			return fmt.Errorf("%s names position %d, it must be positive", name, h.Position)
		}
		return nil
	},
}

var sizeUnits = []struct {
	name  string
	bytes int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}}

// parseSize reads a positive number of bytes.
func parseSize(text string) (int64, error) {
	unit := int64(1)
	for _, u := range sizeUnits {
		if digits, ok := strings.CutSuffix(text, u.name); ok {
			text, unit = digits, u.bytes
			break
		}
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil || n == 0 || int64(n) > (1<<63-1)/unit {
		return 0, fmt.Errorf("it must be a positive number of bytes, or one with KiB, MiB or GiB")
	}
	return int64(n) * unit, nil
}

// formatSize writes a number of bytes with the largest unit that divides it, "" for 0.
func formatSize(n int64) string {
	if n == 0 {
		return ""
	}
	for i := len(sizeUnits) - 1; i >= 0; i-- {
		if u := sizeUnits[i]; n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}
