package servers

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
)

// Links are the connections between the servers of a cluster, which lead through this process, so that
// servers can be parted as by a network that delivers nothing and closes nothing.
type Links struct {
	mu        sync.Mutex
	parted    map[string]bool // names of the servers that are on one side
	healed    chan struct{}   // closed when nobody is parted
	listeners []net.Listener
	conns     map[net.Conn]bool
	closed    bool
	work      sync.WaitGroup
}

func newLinks() *Links {
	l := &Links{healed: make(chan struct{}), conns: map[net.Conn]bool{}}
	close(l.healed)
	return l
}

// Part parts some servers from the others, until Heal. What is on its way then arrives when they are
// together again, unless a server has closed the connection meanwhile. Whoever was parted before is
// together again.
func (l *Links) Part(some ...*Server) {
	l.Heal() // for those who wait
	l.mu.Lock()
	defer l.mu.Unlock()
	l.parted = map[string]bool{}
	for _, s := range some {
		l.parted[s.Name] = true
	}
	l.healed = make(chan struct{})
}

// Heal brings all servers together.
func (l *Links) Heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.parted != nil {
		l.parted = nil
		close(l.healed)
	}
}

// Close closes all connections, and waits for what goes on in them.
func (l *Links) Close() {
	l.Heal()
	l.mu.Lock()
	l.closed = true
	for _, listener := range l.listeners {
		listener.Close()
	}
	for conn := range l.conns {
		conn.Close()
	}
	l.mu.Unlock()
	l.work.Wait()
}

// add listens for what one server connects to another with, and returns the port.
func (l *Links) add(from, to string, address string) (port int, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // which is held: nobody else gets the port
	if err != nil {
		return 0, err
	}
	l.listeners = append(l.listeners, listener)
	l.work.Go(func() { // ends with the listener
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			l.work.Go(func() { l.join(conn, from, to, address) })
		}
	})
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// join connects a connection with the server that it is for.
func (l *Links) join(conn net.Conn, from, to, address string) {
	defer l.drop(conn)
	if !l.keep(conn) {
		return
	}
	l.wait(from, to)
	there, err := net.Dial("tcp", address)
	if err != nil {
		return // it is killed: who has connected tries again
	}
	defer l.drop(there)
	if !l.keep(there) {
		return
	}
	var back sync.WaitGroup
	back.Go(func() {
		l.pump(conn, there, from, to)
		conn.Close() // which ends the other direction
	})
	l.pump(there, conn, from, to)
	there.Close()
	back.Wait()
}

// pump delivers what comes, as long as the two servers are not parted.
func (l *Links) pump(dst io.Writer, src io.Reader, from, to string) {
	b := make([]byte, 64<<10)
	for {
		n, err := src.Read(b)
		l.wait(from, to)
		if _, failed := dst.Write(b[:n]); err != nil || failed != nil {
			return
		}
	}
}

// wait waits while two servers are parted.
func (l *Links) wait(from, to string) {
	for {
		l.mu.Lock()
		healed, parted := l.healed, l.parted[from] != l.parted[to]
		l.mu.Unlock()
		if !parted {
			return
		}
		<-healed
	}
}

// keep notes a connection, for Close. It reports whether it may go on.
func (l *Links) keep(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[conn] = true
	return !l.closed
}

func (l *Links) drop(conn net.Conn) {
	conn.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, conn)
}

// StartLinked is Start for servers that can be parted. The links are closed after the servers are killed.
func StartLinked(ctx context.Context, dir string, n int, died func(name string, err error)) (*Cluster, *Links, error) {
	l := newLinks()
	c, err := start(ctx, dir, n, died, func(from, to, address string) (string, error) {
		port, err := l.add(from, to, address)
		return fmt.Sprintf("127.0.0.1:%d", port), err
	})
	if err != nil {
		l.Close()
		return nil, nil, err
	}
	return c, l, nil
}
