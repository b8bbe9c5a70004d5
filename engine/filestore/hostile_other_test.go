//go:build !unix

package filestore

import (
	"os"
	"testing"
)

// specialFiles make what is no file.
var specialFiles = map[string]func(t *testing.T, name string) error{
	"directory": func(_ *testing.T, name string) error { return os.Mkdir(name, 0o755) },
}
