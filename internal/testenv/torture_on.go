//go:build torture

package crashtest

const tortured = true
