//go:build saboteur

package sabotage

import "os"

var broken = Rule(os.Getenv("EVENTFOLD_SABOTEUR"))

// On reports whether a rule is to be broken.
func On(rule Rule) bool { return rule == broken }
