package eventfold

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"
)

// A journal tells the program's logger what happens to an open store. Without a logger it is silent.
type journal struct {
	logger *slog.Logger
	told   [codeCount]atomic.Int64 // when an error of each code was last told, in nanoseconds of Unix
}

// newJournal returns the journal of a store. Every entry names the store.
func newJournal(c Config) *journal {
	if c.Logger == nil {
		return &journal{}
	}
	return &journal{logger: c.Logger.With("store", c.describe())}
}

// toldCodes are the errors that are about the store and not about the statement that meets them. The
// caller gets them as well; whoever looks after the store may not be the one who called.
var toldCodes = map[Code]slog.Level{
	ErrPoisoned:       slog.LevelError,
	ErrMoved:          slog.LevelError,
	ErrCorrupt:        slog.LevelError,
	ErrFull:           slog.LevelError,
	ErrIO:             slog.LevelError,
	ErrKeyring:        slog.LevelError,
	ErrInternal:       slog.LevelError,
	ErrOutcomeUnknown: slog.LevelWarn,
	ErrLocked:         slog.LevelWarn,
	ErrMemory:         slog.LevelWarn,
}

// quiet is how long an error of the same code is not told again.
const quiet = time.Minute

// opened tells that this process has opened the store, and what had to be repaired.
func (j *journal) opened(s *openStore) {
	if j.logger == nil || s.config.Store != nil {
		return
	}
	if s.err != nil {
		return // whoever wanted to open it has the error
	}
	stats := s.store.Stats()
	j.logger.LogAttrs(context.Background(), slog.LevelInfo, "store opened",
		slog.Int64("events", stats.Events), slog.Bool("readonly", s.config.Mode == ReadOnly))
	if stats.Recovery != "" {
		j.logger.LogAttrs(context.Background(), slog.LevelWarn, "store repaired", slog.String("what", stats.Recovery))
	}
}

// closed tells that nothing of this process uses the store any more.
func (j *journal) closed(s *openStore, err error) {
	switch {
	case j.logger == nil || s.config.Store != nil || s.err != nil:
	case err != nil:
		j.logger.LogAttrs(context.Background(), slog.LevelError, "store closed with an error", slog.Any("error", err))
	default:
		j.logger.LogAttrs(context.Background(), slog.LevelInfo, "store closed")
	}
}

// note tells of an error that is about the store, at most once a minute for each code, and returns
// it.
func (j *journal) note(ctx context.Context, err error) error {
	if err != nil && j.logger != nil {
		j.tell(ctx, err)
	}
	return err
}

// tell tells the logger of an error.
func (j *journal) tell(ctx context.Context, err error) {
	var e *Error
	if !errors.As(err, &e) {
		return
	}
	level, tells := toldCodes[e.Code]
	if !tells {
		return
	}
	now, last := time.Now().UnixNano(), j.told[e.Code].Load()
	if last != 0 && now-last < int64(quiet) || !j.told[e.Code].CompareAndSwap(last, now) {
		return
	}
	j.logger.LogAttrs(ctx, level, "store in trouble",
		slog.String("op", e.Op), slog.String("code", strings.TrimPrefix(e.Code.Error(), "eventfold: ")), slog.Any("error", err))
}
