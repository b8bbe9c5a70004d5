package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"
)

// CheckServers asks every server about itself, which servers answer to a user of the system's account
// alone: URLs or Options must have one. It tells of each its version, clock, whether it syncs before it
// acknowledges, and what it holds of the bucket, also if it does not lead: bytes that one replica has
// lost show nowhere else. It changes nothing. Local is not needed; OpenTimeout is 10 s if it is 0. The
// error is that of getting no answer.
func CheckServers(ctx context.Context, c Config) ([]Finding, error) {
	c.Create, c.Local = false, ""
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
	answers, expected, err := askServers(ctx, conn, serverPatience)
	if err != nil {
		return nil, err
	}
	findings := []Finding{verdict("servers", len(answers) >= expected, Wrong,
		fmt.Sprintf("%d of %d have answered", len(answers), expected))}
	holders := 0
	for _, a := range answers {
		found, holds := c.serverFindings(a)
		findings = append(findings, found...)
		if holds {
			holders++
		}
	}
	if holders == 0 {
		findings = append(findings, Finding{"stream", Wrong, "no server that has answered holds " + c.stream()})
	}
	return findings, nil
}

// A serverAnswer is what a server says of itself.
type serverAnswer struct {
	Server struct {
		Name    string `json:"name"`
		Version string `json:"ver"`
	} `json:"server"`
	Data struct {
		Now      time.Time `json:"now"`
		Disabled bool      `json:"disabled"`
		Config   struct {
			SyncAlways   bool          `json:"sync_always"`
			SyncInterval time.Duration `json:"sync_interval"`
		} `json:"config"`
		Meta *struct {
			Size int `json:"cluster_size"`
		} `json:"meta_cluster"`
		Accounts []struct {
			Name    string `json:"name"`
			Streams []struct {
				Name  string         `json:"name"`
				State js.StreamState `json:"state"`
			} `json:"stream_detail"`
		} `json:"account_details"`
	} `json:"data"`
	Error *apiError `json:"error"`

	asked, came time.Time
}

// serverPatience is how long the answers of the other servers are waited for when one has answered.
const serverPatience = 3 * time.Second

// askServers asks all servers, and returns the answers of those that have JetStream, by name, and how
// many there should be. The first one may take as long as ctx lets it, and the others patience more.
func askServers(
	ctx context.Context, conn *nats.Conn, patience time.Duration,
) (answers []serverAnswer, expected int, err error) {
	inbox := conn.NewInbox()
	replies, err := conn.SubscribeSync(inbox)
	if err != nil {
		return nil, 0, err
	}
	defer replies.Unsubscribe()
	asked := time.Now()
	if err := conn.PublishRequest("$SYS.REQ.SERVER.PING.JSZ", inbox, []byte(`{"streams":true}`)); err != nil {
		return nil, 0, err
	}
	waiting := ctx // for the first answer
	for expected = 1; len(answers) < expected; {
		m, err := replies.NextMsgWithContext(waiting)
		if err != nil {
			if ctx.Err() == nil && len(answers) > 0 {
				break
			}
			return nil, 0, noServer(err)
		}
		if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
			return nil, 0, noServer(nats.ErrNoResponders)
		}
		a := serverAnswer{asked: asked, came: time.Now()}
		if err := json.Unmarshal(m.Data, &a); err != nil {
			return nil, 0, fmt.Errorf("eventfold: a server's answer about itself: %w", err)
		}
		if a.Error != nil {
			return nil, 0, fmt.Errorf("eventfold: server %s about itself: %w", a.Server.Name, a.Error)
		}
		if a.Data.Disabled {
			continue
		}
		if answers = append(answers, a); a.Data.Meta != nil {
			expected = max(expected, a.Data.Meta.Size)
		}
		if len(answers) == 1 {
			var cancel context.CancelFunc
			waiting, cancel = context.WithTimeout(ctx, patience)
			defer cancel()
		}
	}
	slices.SortFunc(answers, func(a, b serverAnswer) int { return strings.Compare(a.Server.Name, b.Server.Name) })
	return answers, expected, nil
}

// noServer says why no server may have answered.
func noServer(err error) error {
	if errors.Is(err, nats.ErrNoResponders) || errors.Is(err, context.DeadlineExceeded) {
		return &ConfigError{"the system's user", "gets no answer of a server about itself: it must be a user of the account " +
			"that system_account names, which is $SYS unless it is set"}
	}
	return fmt.Errorf("eventfold: ask the servers: %w", err)
}

// serverFindings are about one server, and whether it holds the bucket.
func (c *Config) serverFindings(a serverAnswer) (findings []Finding, holds bool) {
	name := "server " + a.Server.Name
	sync := verdict(name+": sync_interval", a.Data.Config.SyncAlways, Wrong, "always")
	if sync.State != Fine {
		sync.Text = fmt.Sprintf("%v: what was acknowledged by then is lost if all servers lose their power; "+
			"set sync_interval: always in its jetstream block", a.Data.Config.SyncInterval)
	}
	findings = []Finding{versionFinding(name, a.Server.Version), sync,
		clockFinding(name+": clock", a.Data.Now, a.asked, a.came)}
	for _, account := range a.Data.Accounts {
		for _, stream := range account.Streams {
			if stream.Name == c.stream() {
				holds = true
				findings = append(findings, c.stateFinding(
					fmt.Sprintf("%s: events in account %s", name, account.Name), stream.State))
			}
		}
	}
	return findings, holds
}
