package main

import (
	"context"
	"database/sql"
	"net/url"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/jetstream"
)

// isCluster reports whether a data source name leads to the servers of a bucket.
func isCluster(dsn string) bool {
	scheme, _, ok := strings.Cut(dsn, "://")
	scheme = strings.ToLower(scheme)
	return ok && (scheme == "nats" || scheme == "tls")
}

// bucketConfig reads a data source name for what asks the servers of a bucket, and needs no copy.
func bucketConfig(dsn string) (jetstream.Config, error) {
	c, err := jetstream.ParseDSN(dsn)
	if err != nil {
		return c, usageError{err}
	}
	return c, nil
}

// nodeMode is the mode in which a node is opened: for reading only, or as its data source name says.
func nodeMode(named, wanted eventfold.Mode) eventfold.Mode {
	if wanted == eventfold.ReadOnly {
		return wanted
	}
	return named
}

// refuseCluster refuses a bucket where a command needs a directory, and says what to do instead.
func refuseCluster(dsn, instead string) error {
	if !isCluster(dsn) {
		return nil
	}
	return usage("%s is no directory: %s", bucketName(dsn), instead)
}

// bucketName names a bucket without what is secret in its data source name.
func bucketName(dsn string) string {
	c, err := jetstream.ParseDSN(dsn)
	if err != nil {
		return "a bucket"
	}
	return "the bucket " + c.Bucket
}

// asSystem is the config with a user of the system's account: USER:PASSWORD, or a file with credentials.
func asSystem(c jetstream.Config, user, credentials string) (jetstream.Config, error) {
	name, password, both := strings.Cut(user, ":")
	if user != "" && !both {
		return c, usage("--system is USER:PASSWORD")
	}
	urls := make([]string, len(c.URLs))
	for i, text := range c.URLs {
		u, err := url.Parse(text)
		if err != nil { // which would show a password
			return c, usage("the data source name has a server's address that is none")
		}
		if u.User = nil; user != "" {
			u.User = url.UserPassword(name, password)
		}
		urls[i] = u.String()
	}
	c.URLs = urls
	forget := func(o *nats.Options) error { // the bucket's user
		o.UserJWT, o.SignatureCB, o.Nkey = nil, nil, ""
		return nil
	}
	c.Options = append(slices.Clone(c.Options), forget)
	if credentials != "" {
		c.Options = append(c.Options, nats.UserCredentials(credentials))
	}
	return c, nil
}

// readIndexOf returns what a store has now. It can be read until the connection is closed.
func readIndexOf(ctx context.Context, db *sql.DB) (index engine.ReadIndex, conn *sql.Conn, err error) {
	if conn, err = db.Conn(ctx); err != nil {
		return nil, nil, err
	}
	err = conn.Raw(func(raw any) error {
		index = raw.(*eventfold.Conn).Store().ReadIndex()
		return nil
	})
	return index, conn, err
}
