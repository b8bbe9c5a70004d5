//go:build unix

package servers

import "syscall"

// Pause stops the process without its noticing, as a machine does that is frozen, until Resume.
func (s *Server) Pause() error { return s.process.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume lets it go on.
func (s *Server) Resume() error { return s.process.cmd.Process.Signal(syscall.SIGCONT) }
