//go:build !torture

package crashtest

const tortured = false
