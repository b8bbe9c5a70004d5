// Cluster shows a cluster whose leader dies under load. It starts three servers, as processes of this
// machine, and a node, through which clients append; the server that leads the log is killed as kill -9
// does, and started again. It tells for how long nothing could be appended, and looks on a second node,
// whose copy comes from the servers, for everything that was acknowledged.
//
//	go run ./examples/cluster
//
// in the folder jetstream. What the servers and the nodes keep is in a temporary directory, which is
// removed in the end.
package main

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"io"
	"log"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/eventfold/eventfold"
	_ "github.com/eventfold/eventfold/jetstream" // for nats://
	"github.com/eventfold/eventfold/jetstream/internal/servers"
)

func main() {
	servers.Main() // the servers are processes of this program
	clients := flag.Int("clients", 8, "how many `clients` append at once")
	events := flag.Int("events", 500, "how many `events` are appended before the leader dies, and after it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if _, err := run(ctx, os.Stdout, *clients, *events); err != nil {
		log.Fatal(err)
	}
}

// A report is what has come of it.
type report struct {
	acknowledged int           // events
	missing      int           // of these, on the second node
	unasked      int           // events of the second node that nobody was told of
	silence      time.Duration // the longest time between two acknowledgements
	killed       string        // the server that led
	leads        string        // the one that leads afterwards
}

// run shows it, and writes what happens to out.
func run(ctx context.Context, out io.Writer, clients, events int) (r report, err error) {
	dir, err := os.MkdirTemp("", "cluster")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	c, err := servers.Start(ctx, dir, 3, nil)
	if err != nil {
		return r, err
	}
	defer c.Kill()
	fmt.Fprintln(out, "three servers run:", strings.Join(c.URLs(), ", "))
	a, err := openNode(c, filepath.Join(dir, "a"))
	if err != nil {
		return r, err
	}
	defer a.Close()
	l := newLoad(ctx, a, clients)
	defer l.end()
	fmt.Fprintf(out, "%d clients append through node a, each to a stream of its own\n", clients)
	if err := killLeader(ctx, out, c, l, events, &r); err != nil {
		return r, err
	}
	if err := l.end(); err != nil {
		return r, err
	}
	b, err := openNode(c, filepath.Join(dir, "b"))
	if err != nil {
		return r, err
	}
	defer b.Close()
	if err := r.check(ctx, b, l.placed); err != nil {
		return r, err
	}
	fmt.Fprintf(out, "%d events were acknowledged; on a new node %d of them are missing, and %d are there that nobody was told of\n",
		r.acknowledged, r.missing, r.unasked)
	return r, nil
}

// openNode opens a node, which keeps its copy of the log in a directory.
func openNode(c *servers.Cluster, local string) (*sql.DB, error) {
	hosts := strings.ReplaceAll(strings.Join(c.URLs(), ","), "nats://", "")
	return sql.Open(eventfold.DriverName, fmt.Sprintf("nats://%s/demo?local=%s&replicas=3&create=true&open_timeout=5m", hosts,
		url.QueryEscape(local)))
}

// killLeader kills the server that leads when some events have been appended, and starts it again when
// so many more have.
func killLeader(ctx context.Context, out io.Writer, c *servers.Cluster, l *load, events int, r *report) error {
	if err := l.await(ctx, events); err != nil {
		return err
	}
	watch, err := newWatch(c)
	if err != nil {
		return err
	}
	defer watch.close()
	if r.killed, err = watch.leader(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d events are acknowledged; %s leads the log, and is killed\n", l.acknowledged(), r.killed)
	leader := c.Named(r.killed)
	leader.Kill()
	if err := l.await(ctx, l.acknowledged()+events); err != nil {
		return err
	}
	if r.leads, err = watch.leader(ctx); err != nil {
		return err
	}
	r.silence = l.silence()
	fmt.Fprintf(out, "%s leads; the longest time without an acknowledgement was %.1f s, and no append has failed\n",
		r.leads, r.silence.Seconds())
	if err := leader.Start(); err != nil {
		return err
	}
	if err := watch.together(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s runs again and has what the others have\n", r.killed)
	return l.await(ctx, l.acknowledged()+events)
}

// check compares what a node has with what was told. A node that is opened has all that the servers
// had by then.
func (r *report) check(ctx context.Context, node *sql.DB, placed map[int64]string) error {
	r.acknowledged = len(placed)
	rows, err := node.QueryContext(ctx, `SELECT position, id FROM $all`)
	if err != nil {
		return err
	}
	defer rows.Close()
	found := 0
	for rows.Next() {
		var position int64
		var id string
		if err := rows.Scan(&position, &id); err != nil {
			return err
		}
		if placed[position] == id {
			found++
		} else {
			r.unasked++
		}
	}
	r.missing = len(placed) - found
	return rows.Err()
}
