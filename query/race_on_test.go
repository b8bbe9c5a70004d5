//go:build race

package query

// raceDetector tells that the race detector is at work.
const raceDetector = true
