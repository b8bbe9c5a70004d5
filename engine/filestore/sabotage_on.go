//go:build saboteur

package filestore

import "os"

var sabotagedRule = sabotage(os.Getenv("EVENTFOLD_SABOTEUR"))

func sabotaged(rule sabotage) bool { return rule == sabotagedRule }
