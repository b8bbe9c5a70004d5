package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// find reads every file below a directory and tells in which of the directories in it a text is.
func find(dir, text string) (places []string, err error) {
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(name)
		if err != nil || !bytes.Contains(content, []byte(text)) {
			return err
		}
		place, err := filepath.Rel(dir, name)
		place, _, _ = strings.Cut(place, string(filepath.Separator))
		if !slices.Contains(places, place) {
			places = append(places, place)
		}
		return err
	})
	return places, err
}
