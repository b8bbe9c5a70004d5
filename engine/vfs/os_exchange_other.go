//go:build !darwin && !linux

package vfs

import "errors"

// osExchange is for systems that exchange two names with one call.
func osExchange(_, _ string) error { return errors.ErrUnsupported }
