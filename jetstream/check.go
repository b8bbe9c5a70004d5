package jetstream

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
)

// A State says how good a Finding is.
type State string

// The states.
const (
	Fine     State = "ok"
	Doubtful State = "warning" // it works; somebody should know, or look
	Wrong    State = "wrong"   // appends fail, or are not as durable as they are said to be
	Damaged  State = "damaged" // events are missing
)

// A Finding is one thing that Check has looked at.
type Finding struct {
	What  string `json:"check"` // such as "leader"
	State State  `json:"state"`
	Text  string `json:"text"` // what it is like and, if that is not good, what to change
}

// A verdict makes a Finding: fine if it is good, and otherwise of a state.
func verdict(what string, good bool, otherwise State, text string) Finding {
	if good {
		otherwise = Fine
	}
	return Finding{what, otherwise, text}
}

// doubtful are versions of nats-server of which something is known that others do not do.
var doubtful = map[string]string{
	"2.15.3": "after a stream went from three replicas to one and back, it can be without a leader for ever when all " +
		"servers have crashed; run 2.15.2, or do not change the number of replicas",
}

// maxClockDifference is how far this machine's clock may be from that of the stream's leader, which
// gives events their times.
const maxClockDifference = time.Second

// checkPatience bounds Check if its Config does not: an election takes up to nine seconds.
const checkPatience = 10 * time.Second

// Check looks at a bucket as a node sees it, and changes nothing: the version of the server that it is
// connected to, the stream's settings, leader and replicas, what the leader holds, the clock, and, if
// Local names one, how far the copy of a node is behind. OpenTimeout is 10 s if it is 0. That nobody answers for the stream is a finding; the
// error is that of reaching no server, or that there is no such bucket.
//
// Whether the servers sync before they acknowledge, and what replicas hold that do not lead, is not
// told to the account of a node: CheckServers asks that.
func Check(ctx context.Context, c Config) ([]Finding, error) {
	c.Create = false
	if err := c.check(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.checkTimeout())
	defer cancel()
	conn, err := c.connect(ctx, ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	findings := []Finding{versionFinding("nats-server", conn.ConnectedServerVersion()),
		verdict("max_payload", conn.MaxPayload() >= 1<<20+roomForHeaders, Doubtful,
			fmt.Sprintf("%d bytes; events of 1 MiB need %d", conn.MaxPayload(), 1<<20+roomForHeaders))}
	about, err := c.lookAtStream(ctx, conn)
	if err != nil {
		return nil, err
	}
	return append(findings, about...), nil
}

// lookAtStream asks for the stream, and for the leader's clock. That nobody answers is a finding.
func (c *Config) lookAtStream(ctx context.Context, conn *nats.Conn) ([]Finding, error) {
	api, err := js.New(conn)
	if err != nil {
		return nil, err
	}
	var info *js.StreamInfo
	began := time.Now()
	err = c.insist(ctx, func(ctx context.Context) error {
		began = time.Now()
		stream, err := api.Stream(ctx, c.stream())
		if err == nil {
			info = stream.CachedInfo()
		}
		return err
	})
	var nobody *UnreachableError
	switch {
	case errors.As(err, &nobody) && nobody.Answer != nil && errors.Is(nobody.Err, context.DeadlineExceeded):
		return []Finding{{"leader", Wrong, fmt.Sprintf("nobody answers for stream %s (%v): more than half of the "+
			"servers must run and reach each other", c.stream(), nobody.Answer)}}, nil
	case errors.Is(err, js.ErrStreamNotFound):
		return nil, &ConfigError{"bucket " + c.Bucket, "is not there: no stream " + c.stream() + " is in this user's account"}
	case err != nil:
		return nil, fmt.Errorf("eventfold: look at stream %s: %w", c.stream(), err)
	}
	findings := append(c.streamFindings(info), clockFinding("clock of the leader", info.TimeStamp, began, time.Now()))
	if c.Local != "" {
		findings = append(findings, c.localFinding(info.State))
	}
	return findings, nil
}

// localFinding is about the copy of a node, which may be open.
func (c *Config) localFinding(state js.StreamState) Finding {
	what := "copy in " + c.Local
	s, err := filestore.Open(c.Local, filestore.Options{ReadOnly: true, MustExist: true})
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, new(*engine.NoStoreError)) {
		return Finding{what, Doubtful, "there is none: it is made when the node is opened"}
	}
	if err != nil {
		return Finding{what, Wrong, "cannot be read: " + err.Error()}
	}
	defer s.Close()
	holds := int64(s.ReadIndex().Head())
	switch behind := int64(state.LastSeq) - holds; {
	case behind > 0:
		return Finding{what, Doubtful, fmt.Sprintf("holds %d events, %d behind: a node that runs catches up",
			holds, behind)}
	case behind < 0 && state.LastSeq == 0:
		return Finding{what, Wrong, fmt.Sprintf("holds %d events, and the stream has none: it is one of another log", holds)}
	}
	return Finding{what, Fine, fmt.Sprintf("holds %d events", holds)} // perhaps some that came behind what was told
}

// openTimeout is OpenTimeout or its default.
func (c *Config) openTimeout() time.Duration {
	if c.OpenTimeout <= 0 {
		return defaultOpenTimeout
	}
	return c.OpenTimeout
}

// checkTimeout is OpenTimeout or its default for Check.
func (c *Config) checkTimeout() time.Duration {
	if c.OpenTimeout <= 0 {
		return checkPatience
	}
	return c.OpenTimeout
}

func versionFinding(what, version string) Finding {
	if err := checkVersion(version); err != nil {
		return Finding{what, Wrong, strings.TrimPrefix(err.Error(), "eventfold: nats-server ")}
	}
	if why, known := doubtful[version]; known {
		return Finding{what, Doubtful, "version " + version + ": " + why}
	}
	return Finding{what, Fine, "version " + version}
}

// clockFinding compares a server's clock with that of this machine while it was asked.
func clockFinding(what string, theirs, began, ended time.Time) Finding {
	off := max(theirs.Sub(ended), began.Sub(theirs), 0).Round(time.Millisecond)
	return verdict(what, off <= maxClockDifference, Doubtful,
		fmt.Sprintf("%v from this machine's; the leader's gives events their times", off))
}

// streamFindings are about the stream's settings, its leader, and what its replicas hold.
func (c *Config) streamFindings(info *js.StreamInfo) (findings []Finding) {
	settings := Finding{"settings", Fine, "those of a bucket"}
	if err := c.checkStream(info.Config); err != nil {
		settings = Finding{"settings", Wrong, strings.TrimPrefix(err.Error(), "eventfold: ")}
	}
	replicas := verdict("replicas", info.Config.Replicas > 1, Doubtful, fmt.Sprint(info.Config.Replicas))
	if replicas.State != Fine {
		replicas.Text += "; the log is as durable as one server's disk: 3 or 5 outlive it"
	}
	findings = []Finding{settings, c.stateFinding("events", info.State), replicas}
	if info.Cluster == nil {
		return findings
	}
	leader := verdict("leader", info.Cluster.Leader != "", Wrong, info.Cluster.Leader)
	if leader.State != Fine {
		leader.Text = "there is none: more than half of the replicas must run and reach each other"
	}
	findings = append(findings, leader)
	for _, p := range info.Cluster.Replicas {
		findings = append(findings, replicaFinding(p))
	}
	return findings
}

// stateFinding is about what a server holds of the stream.
func (c *Config) stateFinding(what string, state js.StreamState) Finding {
	if err := c.checkState(state); err != nil {
		return Finding{what, Damaged, strings.TrimPrefix(err.Error(), "eventfold: ") +
			"; if another replica has it, move the leader there, wipe this server and let it catch up"}
	}
	return Finding{what, Fine, fmt.Sprintf("%d, none is missing", state.LastSeq)}
}

// replicaFinding is about a replica as the leader sees it.
func replicaFinding(p *js.PeerInfo) Finding {
	what := "replica " + p.Name
	switch {
	case p.Offline:
		return Finding{what, Wrong, fmt.Sprintf("was not heard of for %v, and is %d behind: start its server", p.Active, p.Lag)}
	case !p.Current:
		return Finding{what, Doubtful, fmt.Sprintf("is behind by %d", p.Lag)}
	}
	return Finding{what, Fine, "has what the leader has"}
}
