package jetstream

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/eventfold/eventfold"
)

func init() {
	eventfold.RegisterScheme("nats", remoteOf)
	eventfold.RegisterScheme("tls", remoteOf)
}

// remoteOf tells the driver what a data source name leads to.
func remoteOf(dsn string) (eventfold.Remote, error) {
	c, options, err := parse(dsn)
	if err == nil {
		err = c.checkNode()
	}
	if err != nil {
		return eventfold.Remote{}, err
	}
	return eventfold.Remote{
		Name:    "the bucket " + c.Bucket,
		Options: options,
		Open: func(ctx context.Context) (eventfold.Store, error) {
			s, err := Open(ctx, c)
			if err != nil {
				return nil, err // not a nil *Store in an interface
			}
			return s, nil
		},
	}, nil
}

// ParseDSN reads a data source name: the scheme nats or, with TLS, tls, then user and password or
// a token, the servers with commas between, the bucket, and the keys local, replicas, create (true
// or false), max_event_size in bytes and open_timeout; creds, a file with credentials, nkey, one with the
// seed of an NKey, ca, the certificates of those who vouch for the servers, cert and key, this client's
// own. What is special in names, passwords and
// values is written %xx. Other keys are the driver's: see eventfold.ParseDSN. Without local no node can
// be opened; Check, Import, Export and Read do without.
//
//	nats://user:pw@a:4222,b:4222,c:4222/main?local=/var/lib/app/events&replicas=3&create=true
func ParseDSN(dsn string) (Config, error) {
	c, _, err := parse(dsn)
	return c, err
}

// parse returns the Config and the keys that are the driver's.
func parse(dsn string) (c Config, options string, err error) {
	scheme, rest, _ := strings.Cut(dsn, "://")
	rest, query, _ := strings.Cut(rest, "?")
	hosts, bucket, _ := strings.Cut(rest, "/")
	user := ""
	if at := strings.LastIndex(hosts, "@"); at >= 0 {
		user, hosts = hosts[:at+1], hosts[at+1:]
	}
	for host := range strings.SplitSeq(hosts, ",") {
		address := scheme + "://" + user + host
		if _, err := url.Parse(address); err != nil || host == "" { // whose error would show the password
			return c, "", &ConfigError{"data source name", "must have the servers between nats:// or nats://user:password@ and " +
				"the bucket, with commas between; special characters of a password are written %xx"}
		}
		c.URLs = append(c.URLs, address)
	}
	c.Bucket = bucket
	if options, err = c.parseKeys(query); err != nil {
		return c, "", err
	}
	return c, options, c.check()
}

// parseKeys reads the keys that are the package's, and returns the others.
func (c *Config) parseKeys(query string) (others string, err error) {
	keys := map[string]func(value string) error{
		"local":        func(v string) error { c.Local = v; return nil },
		"replicas":     func(v string) (err error) { c.Replicas, err = strconv.Atoi(v); return err },
		"create":       func(v string) (err error) { c.Create, err = strconv.ParseBool(v); return err },
		"open_timeout": func(v string) (err error) { c.OpenTimeout, err = time.ParseDuration(v); return err },
		"max_event_size": func(v string) (err error) {
			c.MaxEventSize, err = strconv.Atoi(v)
			return err
		},
	}
	files := map[string]string{}
	for name := range fileOptions {
		keys[name] = func(v string) error { files[name] = v; return nil }
	}
	seen := map[string]bool{}
	var rest []string
	for option := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(option, "=")
		set := keys[name]
		if set == nil {
			rest = append(rest, option)
			continue
		}
		if seen[name] {
			return "", &ConfigError{"data source name", name + " is given twice"}
		}
		seen[name] = true
		if value, err = url.QueryUnescape(value); err == nil {
			err = set(value)
		}
		if err != nil {
			return "", &ConfigError{"data source name", fmt.Sprintf("%s=%s: %v", name, value, err)}
		}
	}
	return strings.Join(rest, "&"), c.addFiles(files)
}

// fileOptions are the keys that name files, and what nats.go makes of them. It reads the files when it
// connects.
var fileOptions = map[string]func(file string) nats.Option{
	"creds": func(file string) nats.Option { return nats.UserCredentials(file) },
	"nkey":  seedOption,
	"ca":    func(file string) nats.Option { return nats.RootCAs(file) },
	"cert":  nil, // with key
	"key":   nil,
}

// seedOption is nats.NkeyOptionFromSeed, which reads the file at once.
func seedOption(file string) nats.Option {
	return func(o *nats.Options) error {
		option, err := nats.NkeyOptionFromSeed(file)
		if err != nil {
			return err
		}
		return option(o)
	}
}

// addFiles adds the options of files that the keys name.
func (c *Config) addFiles(files map[string]string) error {
	if (files["cert"] == "") != (files["key"] == "") {
		return &ConfigError{"data source name", "has one of cert and key: write both, the certificate of this client and its key"}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if option := fileOptions[name]; option != nil {
			c.Options = append(c.Options, option(files[name]))
		}
	}
	if files["cert"] != "" {
		c.Options = append(c.Options, nats.ClientCert(files["cert"], files["key"]))
	}
	return nil
}
