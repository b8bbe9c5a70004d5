package filestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/google/uuid"
)

// Open opens the store in directory dir, which the first append creates if it is not there. Every
// store opens as a reader: Open takes the write lock only for the moment in which it has something
// to repair after a crash, and leaves that to the process that holds the lock, if there is one.
//
// Damage of what was promised to be durable is a [*CorruptError]; a directory, file or format that
// is not eventfold's a [*FormatError]. OpenReport tells what was repaired.
func Open(dir string, o Options) (*FileStore, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	s := &FileStore{
		dir:     dir,
		fs:      &storeFS{path: o.FS},
		opt:     o,
		closing: make(chan struct{}),
		files:   o.files,
		plain:   newPlainCache(o.CompressCache),
		names:   newAnchors(o.FS, dir),
	}
	s.shared.ended = s.ended
	cache := index.NewBlockCache(indexCacheSize, indexFilterSize)
	cache.Opened = s.files
	s.indexer = newIndexer(s.fs, cache, s.writing.Load, s.rebuildIndex)
	s.shared.damaged = func(seg *segment, _ error) { s.indexer.rewrite(seg) }
	s.shared.indexer = s.indexer
	s.indexer.spare = s.newSpare()
	s.ids.random, s.ids.now, s.salts.random = o.Rand, o.Now, o.Rand
	s.log = s.newLogState()
	if err := s.open(); err != nil {
		s.closeFiles()
		return nil, err
	}
	s.resume()
	return s, nil
}

// newSpare returns what the indexer does when no index is wanted: erasing comes before compression.
func (s *FileStore) newSpare() func(context.Context) (more bool, err error) {
	w := &rewriter{s: s}
	s.eraser = newEraser(s, w)
	c := &compressor{s: s, rewriter: w, refused: map[int64]bool{}}
	return func(ctx context.Context) (more bool, err error) {
		if s.opt.applying { // who has opened the store does what is to be done
			return false, nil
		}
		if more, err = s.eraser.next(ctx); more || err != nil || s.opt.Compress != CompressZstd {
			return more, err
		}
		return c.compressNext(ctx)
	}
}

// Bounds of what the index files of a store keep in memory, bytes.
const (
	indexCacheSize  = 16 << 20 // blocks
	indexFilterSize = 64 << 20 // filters; beyond it they are read block by block
)

// rebuildIndex indexes a complete segment by reading it.
func (s *FileStore) rebuildIndex(ctx context.Context, seg *segment) (*index.Memory, error) {
	r := segmentReader{ctx: ctx, shared: &s.shared, memory: new(blockMemory), store: seg.header.Store, seg: seg}
	return r.scanIndex()
}

// fill checks the options and gives defaults.
func (o *Options) fill() error {
	defaultTo(&o.BusyTimeout, DefaultBusyTimeout)
	defaultTo(&o.SyncInterval, DefaultSyncInterval)
	defaultTo(&o.MaxEventSize, engine.DefaultMaxEventSize)
	defaultTo(&o.QueueLength, DefaultQueueLength)
	defaultTo(&o.CompressCache, DefaultCompressCache)
	if o.FS == nil {
		o.FS = vfs.OS()
	}
	if o.files == nil {
		o.files = vfs.FilesOf(o.FS)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	switch {
	case o.MaxEventSize < engine.MinEventLimit || o.MaxEventSize > engine.MaxEventLimit:
		return invalidOption("MaxEventSize", "must be from %d to %d bytes", engine.MinEventLimit, engine.MaxEventLimit)
	case o.SegmentSize != 0 && (o.SegmentSize < format.MinSegmentSize || o.SegmentSize > format.MaxSegmentSize):
		return invalidOption("SegmentSize", "must be 0 or from %d to %d bytes", format.MinSegmentSize,
			format.MaxSegmentSize)
	case o.CompressCache < MinCompressCache || o.CompressCache > MaxCompressCache:
		return invalidOption("CompressCache", "must be 0 or from %d to %d bytes", int64(MinCompressCache),
			int64(MaxCompressCache))
	case o.QueueLength < 0:
		return invalidOption("QueueLength", "must not be negative")
	case o.SyncInterval < 0:
		return invalidOption("SyncInterval", "must not be negative")
	case o.Sync > SyncInterval || o.Prealloc > PreallocNone || o.Compress > CompressZstd:
		return invalidOption("Options", "have a value that does not exist")
	}
	return nil
}

func defaultTo[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

func invalidOption(field, format string, args ...any) error {
	return &engine.InvalidError{Event: -1, Field: field, Reason: fmt.Sprintf(format, args...)}
}

func (s *FileStore) newLogState() *logState {
	return &logState{
		fs: s.fs, dir: s.dir, indexer: s.indexer, plain: s.plain, opened: s.files, retired: &s.retired,
		mending: s.opt.mending,
	}
}

// open reads the log and repairs it if need be and possible.
func (s *FileStore) open() error {
	if err := s.checkDir(); err != nil {
		return err
	}
	if err := s.checkNetwork(); err != nil {
		return err
	}
	if err := s.holdDir(); err != nil {
		return err
	}
	if err := s.read(); err != nil {
		if moved := s.names.lookNow(); moved != nil { // what was read may be of both, or be gone
			return moved
		}
		return err
	}
	_ = s.openTail() // who follows tries again, and is told
	s.publish(s.log, s.log.end.next, nil)
	return s.checkExpected()
}

// read reads the log, and repairs it.
func (s *FileStore) read() error {
	if err := s.loadPatiently(); err != nil {
		return err
	}
	if s.opt.MustExist && len(s.log.segments) == 0 && !s.isEmptyBackup() {
		return &engine.NoStoreError{Path: s.dir}
	}
	if err := s.repair(); err != nil {
		return err
	}
	return s.readErasuresPatiently()
}

// holdDir holds the store's directory, if it is there and not held yet.
func (s *FileStore) holdDir() error {
	if s.directory != nil {
		return nil
	}
	c, byPath, err := s.fs.hold(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && byPath {
		c, err = s.path()
	}
	if err != nil || c == nil {
		return wrap("open "+s.dir, err)
	}
	s.directory = c
	if vfs.IsOS(s.opt.FS) {
		s.names.fix()
	}
	info, err := s.fs.Stat(s.dir)
	if err != nil {
		return wrap("open "+s.dir, err)
	}
	s.names.hold("", info)
	return nil
}

// path holds the directory open, so that no other one gets its identity, where the names in it are
// found by their path. It returns nil if it is not there.
func (s *FileStore) path() (io.Closer, error) {
	f, err := s.fs.Open(s.dir, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return f, err
}

// isEmptyBackup reports whether the directory is a backup of a store without events, which is a
// store all the same.
func (s *FileStore) isEmptyBackup() bool {
	_, err := readBackupMark(s.fs, s.dir)
	return err == nil
}

// checkDir refuses what is not a directory, and a directory that holds files of somebody else and
// no store.
func (s *FileStore) checkDir() error {
	info, err := s.fs.Stat(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		if s.opt.MustExist || s.opt.ReadOnly {
			return &engine.NoStoreError{Path: s.dir}
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("eventfold: open %s: %w", s.dir, err)
	}
	if !info.Dir {
		return &engine.FormatError{File: s.dir, Reason: "is not a directory"}
	}
	files, err := s.fs.List(s.dir)
	if err != nil {
		return fmt.Errorf("eventfold: open %s: %w", s.dir, err)
	}
	foreign := ""
	for _, file := range files {
		if _, _, ok := format.ParseSegmentFileName(file); ok || file == format.ManifestName {
			return nil
		}
		if foreign == "" && !isOurs(file) {
			foreign = file
		}
	}
	if foreign != "" {
		return &engine.FormatError{
			File:   s.dir,
			Reason: fmt.Sprintf("holds no event store, but other files (%s)", foreign),
		}
	}
	return nil
}

// checkNetwork refuses a directory, or the one that is to hold it, on a network file system. What
// the system does not tell is no reason to refuse.
func (s *FileStore) checkNetwork() error {
	if s.opt.Network {
		return nil
	}
	for dir := s.dir; ; dir = filepath.Dir(dir) {
		space, err := s.fs.Space(dir)
		if errors.Is(err, fs.ErrNotExist) && filepath.Dir(dir) != dir {
			continue
		}
		if err == nil && space.Network {
			return &engine.NetworkError{Path: s.dir, Kind: space.Kind}
		}
		return nil
	}
}

// isOurs reports whether a file in a directory without segments may be there.
func isOurs(file string) bool {
	switch file {
	case lockName, format.TailName, format.ManifestTemp, format.ErasedTemp, nextTemp, backupName:
		return true
	}
	return strings.HasPrefix(file, ".") || file == "lost+found"
}

// loadPatiently reads the log, again if another process changes it meanwhile.
func (s *FileStore) loadPatiently() error {
	if _, err := s.fs.Stat(s.dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for attempt := 0; ; attempt++ {
		err := s.log.load()
		var corrupt *engine.CorruptError
		if err == nil || attempt == 2 || !errors.Is(err, errGone) && !errors.As(err, &corrupt) {
			return err
		}
		s.log.close()
		s.log = s.newLogState()
	}
}

// readErasuresPatiently reads them again if another process changes the log meanwhile.
func (s *FileStore) readErasuresPatiently() error {
	err := s.readErasures(s.log)
	for attempt := 0; attempt < 5 && errors.Is(err, errGone); attempt++ {
		err = s.readErasures(s.log)
	}
	return err
}

// isClean reports whether TAIL says that the log was closed, ending where it was found to end.
func (l *logState) isClean() bool {
	if len(l.segments) == 0 {
		return true
	}
	whole := !l.lost && l.manifest.Last() == l.last().number
	unfinished := len(l.found.frames) > 0 || l.found.seal != 0
	if !whole || unfinished || len(l.slots) == 0 {
		return false
	}
	t := &l.slots[0]
	return t.Clean() && t.Store == l.store && t.Segment == l.last().number && t.Generation == l.last().generation &&
		t.Offset == l.found.x.offset && t.Next == l.found.x.next && t.Chain == l.found.x.chain
}

// repair recovers the log if it was not closed, unless another process is writing it.
func (s *FileStore) repair() error {
	if s.log.isClean() {
		return nil
	}
	if !s.opt.ReadOnly {
		l, err := s.lock(0, nil)
		if err == nil {
			defer l.Close()
			defer s.log.unclaim()
			if err = s.recoverLocked(); err == nil {
				err = s.noteClean()
			}
			if err == nil {
				return nil
			}
		}
		if isLocked(err) {
			s.report.Busy = true
		} else if !cannotWrite(err) {
			return err
		}
	}
	if n := len(s.log.found.frames); n > 0 {
		s.report.Unpromised = int64(s.log.found.x.next - s.log.end.next)
	}
	_, err := s.log.checkLater()
	return err
}

// cannotWrite reports whether an error means that the store can be read but not repaired now. The
// first append meets it again.
func cannotWrite(err error) bool {
	return errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission) ||
		errors.Is(err, engine.ErrFull) || vfs.IsFull(err)
}

// recoverLocked reads all that there is and repairs the end of the log. The caller holds the write
// lock, and following if others may use the store.
func (s *FileStore) recoverLocked() error {
	if err := s.log.readManifest(); err != nil {
		return err
	}
	if err := s.log.refreshClaimed(); err != nil || len(s.log.segments) == 0 {
		return err
	}
	if err := s.log.readErased(); err != nil {
		return err
	}
	s.log.lost = s.log.lost || s.log.manifest == nil
	if err := s.log.adopt(); err != nil {
		return err
	}
	if s.log.isClean() {
		s.log.removeLeftovers()
		return nil
	}
	report := s.OpenReport()
	r := recovery{
		logState: s.log,
		maker:    s.maker(),
		fixed:    s.opt.SegmentSize,
		report:   &report,
		now:      s.opt.Now().UnixMicro(),
	}
	err := r.run()
	if err == nil {
		err = s.log.claim() // which may be a new segment
	}
	s.reporting.Lock()
	s.report = report
	s.reporting.Unlock()
	if err == nil {
		s.log.removeLeftovers()
	}
	return err
}

// noteClean writes to TAIL that the recovered log is complete, so that the next Open need not look
// again.
func (s *FileStore) noteClean() error {
	if s.log.isClean() {
		return nil
	}
	t, err := openTailWriter(s.fs, s.dir, s.log.store)
	if err != nil {
		return writeError("open TAIL", err)
	}
	defer t.file.Close()
	if err := t.write(s.log.last().number, s.log.last().generation, format.TailClean, &s.log.end); err != nil {
		return writeError("write TAIL", err)
	}
	if err := t.sync(); err != nil {
		return writeError("sync TAIL", err)
	}
	return writeError("sync "+s.dir, s.fs.SyncDir(s.dir))
}

// maker returns what makes the store's segment files.
func (s *FileStore) maker() *segmentMaker {
	m := &segmentMaker{fs: s.fs, dir: s.dir, prealloc: s.opt.Prealloc}
	if m.prealloc == PreallocAuto {
		m.prealloc = PreallocZero
		if space, err := s.fs.Space(s.dir); err == nil && space.CopyOnWrite {
			m.prealloc = PreallocNone
		}
	}
	return m
}

// checkExpected compares the log with the head that the opener knows.
func (s *FileStore) checkExpected() error {
	if s.opt.Expect == nil {
		return nil
	}
	return s.CheckHead(*s.opt.Expect)
}

// CheckHead compares the log with a head that the caller knows from elsewhere. It returns a
// [*HeadError] if the chain at that position is another one, or the log is shorter.
func (s *FileStore) CheckHead(want engine.Head) error {
	if s.closed.Load() {
		return engine.ErrClosed
	}
	got, err := s.current().headAt(want.Position)
	if err != nil {
		return err
	}
	if got != want {
		return &engine.HeadError{Expected: want, Actual: got}
	}
	return nil
}

// takeOver makes the log ready to be written. The caller holds the write lock and following.
func (s *FileStore) takeOver() (_ *logWriter, err error) {
	defer func() {
		if err != nil {
			s.log.unclaim()
		}
	}()
	if err := s.recoverLocked(); err != nil {
		return nil, err
	}
	maker := s.maker()
	if len(s.log.segments) == 0 {
		store, err := s.newStoreID()
		if err != nil {
			return nil, fmt.Errorf("eventfold: make a store id: %w", err)
		}
		if err := s.log.create(maker, s.opt.SegmentSize, s.opt.Now().UnixMicro(), store); err != nil {
			return nil, err
		}
	}
	return openLogWriter(s.log, maker, &s.opt)
}

func (s *FileStore) newStoreID() (uuid.UUID, error) {
	if s.opt.Rand != nil {
		return uuid.NewRandomFromReader(s.opt.Rand)
	}
	return uuid.NewRandom()
}

// makeDir makes the directory of a new store, durably. As long as there are no segments it syncs
// all that is above, also directories that are there already: who made them may not have come to
// it.
func (s *FileStore) makeDir() error {
	if err := s.names.lookNow(); err != nil {
		return err
	}
	if v := s.view.Load(); v != nil && len(v.segments) > 0 {
		return nil
	}
	if err := s.fs.MkdirAll(s.dir); err != nil {
		return writeError("make "+s.dir, err)
	}
	s.following.Lock()
	err := s.holdDir()
	s.following.Unlock()
	if err != nil {
		return err
	}
	for dir := s.dir; filepath.Dir(dir) != dir; dir = filepath.Dir(dir) {
		err := s.fs.SyncDir(filepath.Dir(dir))
		if err != nil && !errors.Is(err, fs.ErrPermission) { // what may not be read was not made by us
			return writeError("sync "+filepath.Dir(dir), err)
		}
	}
	return nil
}
