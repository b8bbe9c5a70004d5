package jetstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"
)

// How long one attempt to connect, or one question while opening, may take.
const (
	connectPatience = 5 * time.Second
	openPause       = 200 * time.Millisecond
	// pingInterval is how often a server is asked whether it is there still: one that hangs closes no
	// connection, and the others are to be tried. It bounds writing, too: whoever waits for the socket of
	// one that reads nothing keeps the questions, appends and Close waiting.
	pingInterval = 2 * time.Second
)

// An UnreachableError reports that Open has tried until its context or its timeout ended, and no
// server has answered, or none that could. What the local copy holds can be read meanwhile: it is a
// store in a directory, which is opened with mode=ro.
type UnreachableError struct {
	Servers []string // hosts and ports
	Local   string   // the directory of the copy, if there is one
	Err     error    // the context's
	Answer  error    // what was answered last, nil for nothing
}

// Error implements error.
func (e *UnreachableError) Error() string {
	text := fmt.Sprintf("eventfold: none of the servers %s has opened the log: %v", strings.Join(e.Servers, ", "), e.Err)
	if e.Answer != nil {
		text += fmt.Sprintf(" (the last answer was: %v)", e.Answer)
	}
	if e.Local == "" {
		return text
	}
	return text + "; the copy in " + e.Local + " can be read by itself, with mode=ro"
}

// Unwrap returns the errors behind it.
func (e *UnreachableError) Unwrap() []error {
	if e.Answer == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.Answer}
}

func (c *Config) unreachable(err, answer error) error {
	return &UnreachableError{Servers: c.hosts(), Local: c.Local, Err: err, Answer: answer}
}

// hosts are the servers without users and passwords.
func (c *Config) hosts() (hosts []string) {
	for _, list := range c.URLs {
		for text := range strings.SplitSeq(list, ",") {
			if u, err := url.Parse(strings.TrimSpace(text)); err == nil && u.Host != "" {
				hosts = append(hosts, u.Host)
			} else {
				hosts = append(hosts, text[strings.LastIndex(text, "@")+1:])
			}
		}
	}
	return hosts
}

// A dialer dials for nats.go, whose Connect knows no context: while a store is being opened the
// context of Open ends what has begun, and afterwards the store's life does.
type dialer struct {
	opening, life context.Context
	opened        atomic.Bool
	dialer        net.Dialer
}

// Dial implements nats.CustomDialer.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	if d.opened.Load() {
		return d.dialer.DialContext(d.life, network, address)
	}
	conn, err := d.dialer.DialContext(d.opening, network, address)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(d.opening, func() { // ends the wait for a server that has accepted and says nothing
		if !d.opened.Load() {
			conn.Close()
		}
	})
	return conn, nil
}

// connect connects to one of the servers, trying as long as ctx lets it.
func (c *Config) connect(ctx, life context.Context) (*nats.Conn, error) {
	dial := &dialer{opening: ctx, life: life, dialer: net.Dialer{Timeout: connectPatience}}
	options := append([]nats.Option{nats.Name("eventfold"), nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(),
		nats.ReconnectWait(100 * time.Millisecond), nats.Timeout(connectPatience), nats.SetCustomDialer(dial),
		nats.SkipHostLookup(), // which knows no context: the dialer looks names up
		nats.PingInterval(pingInterval), nats.MaxPingsOutstanding(2), nats.FlusherTimeout(pingInterval)}, c.Options...)
	for {
		conn, err := nats.Connect(strings.Join(c.URLs, ","), options...)
		if err == nil {
			dial.opened.Store(true)
			return conn, nil
		}
		if refusedToConnect(err) {
			return nil, fmt.Errorf("eventfold: connect: %w", err)
		}
		if ended := sleep(ctx, openPause); ended != nil {
			return nil, c.unreachable(ended, err)
		}
	}
}

// refusedToConnect reports whether trying again cannot help.
func refusedToConnect(err error) bool {
	return errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired) ||
		errors.Is(err, nats.ErrAuthRevoked) || errors.Is(err, nats.ErrSecureConnRequired) ||
		errors.Is(err, nats.ErrSecureConnWanted) || errors.Is(err, nats.ErrNkeysNotSupported) ||
		errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || // of a file of credentials
		errors.As(err, new(*tls.CertificateVerificationError)) || errors.As(err, new(*url.Error))
}

// insist asks until there is an answer with which trying again cannot help, or ctx ends.
func (c *Config) insist(ctx context.Context, ask func(ctx context.Context) error) error {
	for {
		bounded, cancel := context.WithTimeout(ctx, connectPatience)
		err := ask(bounded)
		cancel()
		if err == nil || !maybeLater(err) {
			return err
		}
		if ended := sleep(ctx, openPause); ended != nil {
			return c.unreachable(ended, err)
		}
	}
}

// maybeLater reports whether an answer is that of servers which have no leader yet, or none at all.
func maybeLater(err error) bool {
	var api *js.APIError
	if errors.As(err, &api) {
		return api.Code == 503
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrNoResponders) ||
		errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrDisconnected) || errors.Is(err, nats.ErrConnectionReconnecting)
}
