//go:build race

package integration

// raceDetector is on: SQLite, translated from C, is then more than ten times slower.
const raceDetector = true
