//go:build race

package eventfold_test

const raceEnabled = true
