//go:build !unix

package servers

import "errors"

var errNoPause = errors.New("a process cannot be paused here")

// Pause stops the process without its noticing, as a machine does that is frozen, until Resume.
func (s *Server) Pause() error { return errNoPause }

// Resume lets it go on.
func (s *Server) Resume() error { return errNoPause }
