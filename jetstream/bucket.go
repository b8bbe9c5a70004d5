package jetstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	js "github.com/nats-io/nats.go/jetstream"

	"github.com/eventfold/eventfold/engine"
)

// minVersion is the first version of nats-server whose batches the package relies on.
var minVersion = [3]int{2, 15, 2}

// duplicateWindow is how long the servers remember ids that callers have given: see Store.fresh.
const duplicateWindow = 5 * time.Minute

// streamConfig is the configuration of a bucket's stream.
func (c *Config) streamConfig() js.StreamConfig {
	replicas := c.Replicas
	if replicas == 0 {
		replicas = defaultReplicas
	}
	return js.StreamConfig{
		Name:               c.stream(),
		Subjects:           []string{c.subjects()},
		Storage:            js.FileStorage,
		Replicas:           replicas,
		Retention:          js.LimitsPolicy,
		Discard:            js.DiscardNew,
		MaxMsgs:            -1,
		MaxBytes:           -1,
		MaxMsgsPerSubject:  -1,
		MaxMsgSize:         -1,
		DenyDelete:         true,
		DenyPurge:          true,
		AllowDirect:        true,
		AllowAtomicPublish: true,
		Duplicates:         duplicateWindow,
		Metadata:           map[string]string{"eventfold.format": "1"},
	}
}

// checkStream refuses a stream on which appends would not be what they promise.
func (c *Config) checkStream(have js.StreamConfig) error {
	rules := []struct {
		ok     bool
		set    string
		reason string
	}{
		{have.Metadata["eventfold.format"] == "1", "metadata",
			"has no eventfold.format=1: it is not a bucket of this version; choose another name"},
		{len(have.Subjects) == 1 && have.Subjects[0] == c.subjects(), "subjects", "must be " + c.subjects()},
		{have.Storage == js.FileStorage, "storage", "must be file"},
		{have.AllowAtomicPublish, "allow_atomic", "must be true"},
		{have.DenyDelete, "deny_delete", "must be true"},
		{have.DenyPurge, "deny_purge", "must be true"},
		{!have.AllowRollup, "allow_rollup_hdrs", "must be false"},
		{!have.AllowMsgTTL, "allow_msg_ttl", "must be false"},
		{have.Retention == js.LimitsPolicy, "retention", "must be limits"},
		{have.Discard == js.DiscardNew, "discard", "must be new"},
		{have.MaxAge == 0, "max_age", "must be 0"},
		{have.MaxMsgs <= 0, "max_msgs", "must be -1"},
		{have.MaxBytes <= 0, "max_bytes", "must be -1"},
		{have.MaxMsgsPerSubject <= 0, "max_msgs_per_subject", "must be -1"},
		{have.Compression == js.NoCompression, "compression", "must be none"},
		{have.SubjectTransform == nil && have.Mirror == nil && len(have.Sources) == 0, "subject_transform, mirror, sources",
			"must not be set"},
		{have.PersistMode == js.DefaultPersistMode, "persist_mode", "must be the default"},
		{have.Duplicates >= duplicateWindow, "duplicate_window", "must be " + duplicateWindow.String() + " or more"},
	}
	for _, r := range rules {
		if !r.ok {
			return &ConfigError{"stream " + c.stream() + ": " + r.set, r.reason}
		}
	}
	return nil
}

// checkVersion refuses servers that are too old.
func checkVersion(version string) error {
	core, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), "-")
	parts := strings.Split(core, ".")
	for i, least := range minVersion {
		n := 0
		if i < len(parts) {
			n, _ = strconv.Atoi(parts[i])
		}
		if n > least {
			return nil
		}
		if n < least {
			return &ConfigError{"nats-server", fmt.Sprintf("is version %s; it must be %d.%d.%d or later", version,
				minVersion[0], minVersion[1], minVersion[2])}
		}
	}
	return nil
}

// openStream opens the bucket's stream, which is made if the Config says so, trying as long as ctx
// lets it while the servers have no leader.
func (s *Store) openStream(ctx context.Context) error {
	err := s.cfg.insist(ctx, func(ctx context.Context) (err error) {
		s.stream, err = s.cfg.findStream(ctx, s.js)
		return err
	})
	if errors.As(err, new(*ConfigError)) || errors.As(err, new(*UnreachableError)) {
		return err
	}
	if err != nil {
		return fmt.Errorf("eventfold: open stream %s: %w", s.cfg.stream(), err)
	}
	return s.cfg.checkStream(s.stream.CachedInfo().Config)
}

// findStream returns the bucket's stream, which is made if the Config says so.
func (c *Config) findStream(ctx context.Context, api js.JetStream) (js.Stream, error) {
	stream, err := api.Stream(ctx, c.stream())
	if !errors.Is(err, js.ErrStreamNotFound) {
		return stream, err
	}
	if !c.Create {
		return nil, &ConfigError{"bucket " + c.Bucket, "is not there; open it with Create (create=true) once to make it"}
	}
	stream, err = api.CreateStream(ctx, c.streamConfig())
	if errors.Is(err, js.ErrStreamNameAlreadyInUse) { // made meanwhile
		return api.Stream(ctx, c.stream())
	}
	return stream, err
}

// checkState refuses a stream of which something is missing: nobody may delete from it.
func (c *Config) checkState(state js.StreamState) error {
	damaged := func(at uint64, reason string, args ...any) error {
		return &DamagedError{Stream: c.stream(), Position: engine.Position(at) - 1, Reason: fmt.Sprintf(reason, args...)}
	}
	switch {
	case state.Msgs > 0 && state.FirstSeq != 1:
		return damaged(1, "it begins with message %d", state.FirstSeq)
	case state.NumDeleted > 0:
		return damaged(1, "%d messages of %d are missing", state.NumDeleted, state.LastSeq)
	case state.Lost != nil && len(state.Lost.Msgs) > 0:
		return damaged(state.Lost.Msgs[0], "%d messages are lost", len(state.Lost.Msgs))
	case state.Msgs != state.LastSeq:
		return damaged(1, "it holds %d messages, and the last one is number %d", state.Msgs, state.LastSeq)
	}
	return nil
}

// errNoLeader is the answer of a server while the stream has no leader.
var errNoLeader = errors.New("eventfold: the stream has no leader")

// last returns the sequence of the last message that the stream's leader knows, which may be one of
// a while ago if it leads no more.
func (s *Store) last(ctx context.Context) (uint64, error) {
	began := time.Now()
	info, err := s.stream.Info(ctx)
	if err != nil {
		return 0, err
	}
	if info.Cluster != nil && info.Cluster.Leader == "" {
		return 0, errNoLeader
	}
	if err := s.cfg.checkState(info.State); err != nil {
		if err = s.firstMissing(ctx, err); errors.As(err, new(*DamagedError)) {
			s.fail(err)
		}
		return 0, err
	}
	s.asked.Store(began.UnixNano())
	return info.State.LastSeq, nil
}

// firstMissing has the error about missing messages name the first of them, if the leader tells which. If
// it gives no answer, that is the error: the stream stays damaged, and is asked again.
func (s *Store) firstMissing(ctx context.Context, err error) error {
	info, unknown := s.stream.Info(ctx, js.WithDeletedDetails(true))
	if unknown != nil {
		return unknown
	}
	var damaged *DamagedError
	if len(info.State.Deleted) > 0 && errors.As(err, &damaged) {
		damaged.Position = engine.Position(slices.Min(info.State.Deleted)) - 1
	}
	return err
}
