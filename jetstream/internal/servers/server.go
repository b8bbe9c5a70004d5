package servers

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"

	"github.com/nats-io/nats-server/v2/server"
)

// configVariable is set in the environment of a process that is to be a server.
const configVariable = "NATS_SERVER_CONFIG"

// Main makes the process a server, and does not return, if it was started to be one.
func Main() {
	path := os.Getenv(configVariable)
	if path == "" {
		return
	}
	if err := serve(path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serve is a server until it is killed or whoever has started it has gone, which closes its input.
func serve(path string) error {
	options, err := server.ProcessConfigFile(path)
	if err != nil {
		return err
	}
	options.NoSigs = true
	s, err := server.NewServer(options)
	if err != nil {
		return err
	}
	s.ConfigureLogger()
	s.Start()
	_, _ = io.Copy(io.Discard, os.Stdin)
	return nil
}

// A Server is a process that can be killed and started again. One goroutine uses it.
type Server struct {
	Name string
	URL  string
	Dir  string // what the server keeps, its log and its configuration

	died    func(name string, err error)
	process *process // nil while it is killed
}

// A process is one life of a server.
type process struct {
	cmd    *exec.Cmd
	input  io.Closer
	wanted atomic.Bool // that it ends
	ended  chan struct{}
}

// newServer writes the configuration of a server.
func newServer(name, dir string, port int, cluster string) (*Server, error) {
	s := &Server{Name: name, Dir: dir, URL: fmt.Sprintf("nats://127.0.0.1:%d", port)}
	text := fmt.Sprintf(`server_name: %s
listen: "127.0.0.1:%d"
max_payload: 8MB
log_file: %q
jetstream {
  store_dir: %q
  sync_interval: always
  limits { batch { max_inflight_per_stream: 1000 } }
}
accounts {
  $SYS { users: [{ user: sys, password: sys }] }
  APP { jetstream: enabled, users: [{ user: app, password: app }] }
}
no_auth_user: app
%s`, name, port, s.Log(), s.Store(), cluster)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return s, os.WriteFile(s.config(), []byte(text), 0o600)
}

func (s *Server) config() string { return filepath.Join(s.Dir, "nats.conf") }

// Log is the file that the server writes its log to.
func (s *Server) Log() string { return filepath.Join(s.Dir, "log") }

// Store is the directory of what it stores.
func (s *Server) Store() string { return filepath.Join(s.Dir, "js") }

// SystemURL is the address with the user of the system's account, who may ask servers about
// themselves.
func (s *Server) SystemURL() string { return "nats://sys:sys@" + s.URL[len("nats://"):] }

// Start starts the server's process, unless it runs.
func (s *Server) Start() error {
	if s.process != nil {
		return nil
	}
	name, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(name)
	cmd.Env = append(os.Environ(), configVariable+"="+s.config())
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	p := &process{cmd: cmd, input: input, ended: make(chan struct{})}
	s.process = p
	go s.watch(p) // ends with the process, which Kill waits for
	return nil
}

// watch waits for the end of a process.
func (s *Server) watch(p *process) {
	err := p.cmd.Wait()
	if !p.wanted.Load() && s.died != nil {
		log, _ := os.ReadFile(s.Log())
		s.died(s.Name, fmt.Errorf("it has ended by itself (%v); its log ends with\n%s", err, log[max(0, len(log)-2000):]))
	}
	close(p.ended)
}

// Runs reports whether the process runs, also while it is paused.
func (s *Server) Runs() bool { return s.process != nil }

// Kill kills the process as kill -9 does, and waits until it is gone. What it has written and not
// synced is still there, in the memory of the system.
func (s *Server) Kill() {
	p := s.process
	if p == nil {
		return
	}
	p.wanted.Store(true)
	_ = p.cmd.Process.Kill()
	<-p.ended
	p.input.Close()
	s.process = nil
}

// Wipe removes all that the server has stored. It must not run.
func (s *Server) Wipe() error {
	if s.Runs() {
		return fmt.Errorf("server %s runs", s.Name)
	}
	return os.RemoveAll(s.Store())
}
