package eventfold

import (
	"context"
	"fmt"
	"sync"
)

// A Remote is a store that a data source name leads to elsewhere than into a directory.
type Remote struct {
	Name    string // for errors and logs: without secrets
	Options string // those keys of the data source name that are the driver's, as key=value joined by &
	// Open opens the store, whose last connection closes it.
	Open func(ctx context.Context) (Store, error)
}

// schemes are the schemes that RegisterScheme has added.
var schemes = struct {
	mu    sync.RWMutex
	parse map[string]func(dsn string) (Remote, error)
}{parse: map[string]func(dsn string) (Remote, error){}}

// RegisterScheme lets data source names that begin with scheme:// be read by parse, which touches
// neither disk nor network. Module jetstream calls it for nats. All databases of a process with the
// same data source name share one store. It panics if the scheme is the driver's own or registered
// already.
func RegisterScheme(scheme string, parse func(dsn string) (Remote, error)) {
	schemes.mu.Lock()
	defer schemes.mu.Unlock()
	if schemeOf(scheme+"://") != scheme || scheme == "file" || scheme == "eventfold" || schemes.parse[scheme] != nil {
		panic(fmt.Sprintf("eventfold: RegisterScheme(%q): it is no scheme in lower case, or taken already", scheme))
	}
	schemes.parse[scheme] = parse
}

// parseRemote reads a data source name of a scheme that is registered. known is false if it is not.
func parseRemote(scheme, dsn string) (c Config, known bool, err error) {
	schemes.mu.RLock()
	parse := schemes.parse[scheme]
	schemes.mu.RUnlock()
	if parse == nil {
		return Config{}, false, nil
	}
	remote, err := parse(dsn)
	if err != nil {
		return Config{}, true, err
	}
	c = Config{Path: remote.Name, remote: &remote, remoteKey: dsn}
	if err := c.parseOptions(remote.Options, func(s string) (string, error) { return s, nil }); err != nil {
		return Config{}, true, err
	}
	return c, true, c.validate()
}

// checkRemote refuses what a store that is elsewhere has no use for.
func (c Config) checkRemote() error {
	if c.Mode != ReadWriteCreate && c.Mode != ReadOnly {
		return fmt.Errorf("a store at %s can be opened with mode=ro, or without a mode", c.Path)
	}
	var none Config
	for _, k := range dsnKeys {
		if k.apply != nil && k.value(c) != k.value(none) {
			return fmt.Errorf("%s is a setting of stores in directories, not of one at %s", k.name, c.Path)
		}
	}
	return nil
}
