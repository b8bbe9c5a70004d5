// Package viewstate has the bytes of what is kept of a materialized view: groups, in levels that
// follow each other along the log. It knows no files and no store, and checks what it reads but for
// the sense of it: who keeps the bytes checks that they are those that were written.
package viewstate

import (
	"errors"

	"github.com/eventfold/eventfold/query/internal/exact"
	"github.com/eventfold/eventfold/query/internal/value"
)

// Version is the version of the bytes, and of what they mean. Whoever changes what a group's state or
// a key is, so that groups that were kept by an earlier version are not what this one would make,
// raises it: the groups are made anew.
const Version = 2

// A Shape is what all groups of a view have in common.
type Shape struct {
	Definition [32]byte // what the groups are made by; groups of another one are of no use
	Keys       int      // values of each group
	States     int      // of each group
}

// A Level is the groups of the events of a range of positions.
type Level struct {
	From, To int64 // inclusive, exclusive
	Groups   int64
}

// A Group is one of a level's groups.
type Group struct {
	Keys   []value.Value
	States []State
}

// A State is what a group knows of one aggregate.
type State struct {
	N, Sum, Wraps int64
	Real          bool
	Total         exact.Sum
	Squares       *exact.Sum // nil for none
	Value         value.Value
}

// ErrState is why bytes are not what is kept of a view of this definition.
var ErrState = errors.New("the groups that are kept are not those of this view")

// The parts of a state that are written, where they are not zero.
const (
	hasN byte = 1 << iota
	hasSum
	hasWraps
	hasReal
	hasTotal
	hasSquares
	hasValue
	knownParts = 1<<iota - 1
)

const maxLevels = 1 << 10
