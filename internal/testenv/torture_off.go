//go:build !torture

package testenv

const tortured = false
