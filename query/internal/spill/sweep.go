package spill

import (
	"strings"
	"time"

	"github.com/eventfold/eventfold/engine/vfs"
)

// sweepAge is how old the name of a file must be to be what a process has left that was ended between
// creating and removing it. That takes less than a second.
const sweepAge = time.Hour

// sweep removes what processes have left in a directory, the first time that a file is made in it. What
// it cannot remove is no concern of the query.
func (s *Space) sweep(dir string) {
	if last := s.swept.Load(); last != nil && *last == dir {
		return
	}
	s.swept.Store(&dir)
	names, err := s.fsys.List(dir)
	if err != nil {
		return
	}
	for _, name := range names {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		own := vfs.Join(dir, name)
		info, err := s.fsys.Stat(own)
		if err != nil || !info.Dir || time.Since(info.Modified) < sweepAge || !s.isOwn(own) {
			continue
		}
		_ = s.fsys.Remove(vfs.Join(own, content))
		_ = s.fsys.Remove(own) // fails if it has anything else
	}
}

// isOwn reports whether a directory holds nothing but what a file of a query may leave. A link to
// somebody's directory has such a name as easily.
func (s *Space) isOwn(dir string) bool {
	names, err := s.fsys.List(dir)
	return err == nil && (len(names) == 0 || len(names) == 1 && names[0] == content)
}
