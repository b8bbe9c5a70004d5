package jetstream

import (
	"context"
	"fmt"
	"strings"
	"time"

	js "github.com/nats-io/nats.go/jetstream"
)

// A Finding is one thing that Check has looked at.
type Finding struct {
	OK   bool   `json:"ok"`
	What string `json:"what"` // such as "leader"
	Text string `json:"text"` // what it is like and, if that is not good, what to change
}

// doubtful are versions of nats-server of which something is known that others do not do.
var doubtful = map[string]string{
	"2.15.3": "after a stream went from three replicas to one and back, it can be without a leader for ever when all servers " +
		"have crashed; run 2.15.2, or do not change the number of replicas",
}

// maxClockDifference is how far this machine's clock may be from that of the stream's leader, which
// gives events their times.
const maxClockDifference = time.Second

// Check looks at the servers of a bucket and at its stream, and changes nothing. Local is not needed.
// Whether the servers sync before they acknowledge is seen only by a user of the system's account;
// for others that is a finding which is not OK. The error is that of not getting an answer.
func Check(ctx context.Context, c Config) ([]Finding, error) {
	if c.Local == "" {
		c.Local = "." // for check, which is not looked at
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.openTimeout())
	defer cancel()
	conn, err := c.connect(ctx, ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	findings := []Finding{versionFinding(conn.ConnectedServerVersion())}
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
	if err != nil {
		return nil, fmt.Errorf("eventfold: look at stream %s: %w", c.stream(), err)
	}
	findings = append(findings, c.streamFindings(info)...)
	findings = append(findings, clockFinding(info.TimeStamp, began, time.Now()),
		Finding{conn.MaxPayload() >= 1<<20+roomForHeaders, "max_payload", fmt.Sprintf(
			"%d bytes; events of 1 MiB need %d", conn.MaxPayload(), 1<<20+roomForHeaders)},
		Finding{false, "sync_interval", "cannot be seen from this account; it must be always in every server's jetstream block"})
	return findings, nil
}

// openTimeout is OpenTimeout or its default.
func (c *Config) openTimeout() time.Duration {
	if c.OpenTimeout <= 0 {
		return defaultOpenTimeout
	}
	return c.OpenTimeout
}

func versionFinding(version string) Finding {
	f := Finding{OK: true, What: "nats-server", Text: "version " + version}
	if err := checkVersion(version); err != nil {
		return Finding{What: f.What, Text: strings.TrimPrefix(err.Error(), "eventfold: nats-server ")}
	}
	if why, known := doubtful[version]; known {
		return Finding{What: f.What, Text: f.Text + ": " + why}
	}
	return f
}

// clockFinding compares the leader's clock with that of this machine while it was asked.
func clockFinding(theirs, began, ended time.Time) Finding {
	off := max(theirs.Sub(ended), began.Sub(theirs), 0).Round(time.Millisecond)
	return Finding{off <= maxClockDifference, "clock", fmt.Sprintf("%v from that of the leader, which gives events their times", off)}
}

// streamFindings are about the stream's settings, its leader, and what its replicas hold.
func (c *Config) streamFindings(info *js.StreamInfo) (findings []Finding) {
	settings := Finding{true, "settings", "those of a bucket"}
	if err := c.checkStream(info.Config); err != nil {
		settings = Finding{false, "settings", strings.TrimPrefix(err.Error(), "eventfold: ")}
	}
	state := Finding{true, "events", fmt.Sprintf("%d, none is missing on the leader", info.State.LastSeq)}
	if err := c.checkState(info.State); err != nil {
		state = Finding{false, "events", strings.TrimPrefix(err.Error(), "eventfold: ")}
	}
	replicas := Finding{info.Config.Replicas > 1, "replicas", fmt.Sprint(info.Config.Replicas)}
	if !replicas.OK {
		replicas.Text += "; the log is as durable as one server's disk: 3 or 5 outlive it"
	}
	findings = []Finding{settings, state, replicas}
	if info.Cluster == nil {
		return findings
	}
	leader := Finding{info.Cluster.Leader != "", "leader", info.Cluster.Leader}
	if !leader.OK {
		leader.Text = "there is none: more than half of the replicas must run and reach each other"
	}
	findings = append(findings, leader)
	for _, p := range info.Cluster.Replicas {
		f := Finding{p.Current && !p.Offline, "replica " + p.Name, "has what the leader has"}
		if !f.OK {
			f.Text = fmt.Sprintf("is behind by %d (offline: %v)", p.Lag, p.Offline)
		}
		findings = append(findings, f)
	}
	return findings
}
