//go:build !race

// Package race tells tests whether the race detector watches them: it makes them slow, and pools
// forget at random.
package race

// Enabled reports whether the race detector is built in.
const Enabled = false
