package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
)

// A commit is one commit of a git repository.
type commit struct {
	hash   string
	author string // the stream: author-<e-mail address>
	payload
}

// A payload is what an event holds of a commit.
type payload struct {
	Commit  string `json:"commit"`
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Date    string `json:"date"` // RFC 3339, with the author's own offset
	Files   int    `json:"files"`
	Added   int    `json:"added"`
	Deleted int    `json:"deleted"`
}

// namespace keeps the ids that are made of commit hashes apart from other ids made the same way.
var namespace = uuid.MustParse("6f2d5f0e-6c2b-4f0e-9d0a-2f6d6b0f7c11")

// id is the same for the same commit, on every machine and in every run.
func (c *commit) id() string { return uuid.NewSHA1(namespace, []byte(c.hash)).String() }

func (c *commit) json() ([]byte, error) { return json.Marshal(c.payload) }

// readCommits calls yield for every commit that HEAD of the repository can reach, oldest first.
func readCommits(ctx context.Context, repository string, yield func(*commit) error) error {
	// One record per commit: fields end with \x1f, a record begins with \x1e; numstat lines follow.
	git := exec.CommandContext(ctx, "git", "-C", repository, "log", "--reverse", "--no-renames", "--numstat",
		"--format=%x1e%H%x1f%ae%x1f%an%x1f%aI%x1f%s%x1f")
	var stderr strings.Builder
	git.Stderr = &stderr
	out, err := git.StdoutPipe()
	if err != nil {
		return err
	}
	if err := git.Start(); err != nil {
		return err
	}
	readErr := scanCommits(out, yield)
	if readErr != nil {
		git.Process.Kill()
	}
	if err := git.Wait(); err != nil && readErr == nil {
		return fmt.Errorf("git log in %s: %w: %s", repository, err, strings.TrimSpace(stderr.String()))
	}
	return readErr
}

func scanCommits(in io.Reader, yield func(*commit) error) error {
	lines := bufio.NewReader(in)
	var current *commit
	flush := func() error {
		if current == nil {
			return nil
		}
		return yield(current)
	}
	for {
		line, readErr := lines.ReadString('\n')
		if header, ok := strings.CutPrefix(line, "\x1e"); ok {
			if err := flush(); err != nil {
				return err
			}
			var err error
			if current, err = parseCommit(header); err != nil {
				return err
			}
		} else if current != nil {
			current.count(line)
		}
		if readErr == io.EOF {
			return flush()
		}
		if readErr != nil {
			return readErr
		}
	}
}

func parseCommit(line string) (*commit, error) {
	fields := strings.Split(strings.ToValidUTF8(line, "\uFFFD"), "\x1f")
	if len(fields) < 6 {
		return nil, fmt.Errorf("git log printed %q", line)
	}
	c := &commit{hash: fields[0], author: "author-" + fields[1]}
	c.payload = payload{
		Commit:  fields[0],
		Name:    fields[2],
		Date:    fields[3],
		Subject: strings.Join(fields[4:len(fields)-1], " "),
	}
	for len(c.author) > 255 || !utf8.ValidString(c.author) {
		c.author = c.author[:len(c.author)-1]
	}
	return c, nil
}

// count adds one line of --numstat: added, deleted, file; "-" for a binary file.
func (c *commit) count(line string) {
	fields := strings.SplitN(line, "\t", 3)
	if len(fields) != 3 {
		return
	}
	added, _ := strconv.Atoi(fields[0])
	deleted, _ := strconv.Atoi(fields[1])
	c.Files++
	c.Added += added
	c.Deleted += deleted
}
