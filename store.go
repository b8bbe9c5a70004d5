package eventfold

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/query"
)

// An openStore is one open store of this process and everything that uses it. Connectors,
// connections and open Rows each hold a reference; when the last one is given back the store is
// closed.
type openStore struct {
	key    storeKey
	config Config // of whoever opened it first
	plans  *planCache
	memory *query.Memory // what all its queries may hold together
	spills *query.SpillSpace
	follow query.Followers
	views  query.Views // their definitions, as last read
	log    *journal
	refs   atomic.Int64 // never grows again once it was 0

	// opened is closed when the fields below are set; they do not change after that.
	opened chan struct{}
	store  engine.Store
	err    error
	// on the directory, so that its inode is not given to another one; nil in memory
	handle io.Closer

	closed chan struct{} // closed when the store is, and nothing of it is left
}

// A storeKey is what makes two paths the same store: the directory's identity on this machine, or a
// name in memory. A store that was opened for reading only is another one than the same store
// opened for appending.
type storeKey struct {
	device, inode uint64
	memory        string
	remote        string // a data source name
	readOnly      bool
}

// registry holds the open stores of this process, because a store can be opened for appending once
// only: a second engine would not get the write lock.
var registry = struct {
	mu     sync.Mutex // protects stores; never held while a store opens or closes
	stores map[storeKey]*openStore
}{stores: make(map[storeKey]*openStore)}

// lookupStore returns the entry of the Config's store with one more reference. If there is none it
// makes one and begins to open it: opened tells when that is done. If the store is just being
// closed it returns the entry with closing set, without a reference; the caller waits for closed
// and asks again.
func lookupStore(c Config) (s *openStore, closing bool, err error) {
	if c.Store != nil || c.Mode == Memory && c.Path == "" {
		// nobody else can name it, so that it needs no place in the registry
		s := newOpenStore(storeKey{}, c)
		go s.open() // ends with the open
		return s, false, nil
	}
	key, handle, err := identify(&c)
	if err != nil {
		return nil, false, err
	}
	s, found, closing := enterStore(key, c, handle)
	switch {
	case closing:
		return s, true, nil
	case !found:
		// ends with the open; if everybody has stopped waiting by then, the last to leave closes
		// the store
		go s.open()
		return s, false, nil
	case s.moved():
		s.forget()
		s.release()
		return lookupStore(c)
	}
	if err := s.config.agree(c); err != nil {
		s.release()
		return nil, false, err
	}
	return s, false, nil
}

// enterStore returns the registry's entry for the key with one more reference, or a new one. If it
// is closing there is no reference. A new entry owns the handle; otherwise it is closed.
func enterStore(key storeKey, c Config, handle io.Closer) (s *openStore, found, closing bool) {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	if s := findLocked(key); s != nil {
		closeHandle(handle)
		return s, true, !s.tryRetain()
	}
	s = newOpenStore(key, c)
	s.handle = handle
	registry.stores[key] = s
	return s, false, false
}

// moved reports whether the store is open and its files are not where it was opened any more. Who
// opens it then gets what is there now, while those who have it keep their errors until they close
// it.
func (s *openStore) moved() bool {
	select {
	case <-s.opened:
	default:
		return false
	}
	store, ok := s.store.(*filestore.FileStore)
	return ok && store.Moved() != nil
}

// forget takes the store out of the registry, so that nobody finds it any more.
func (s *openStore) forget() {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	if registry.stores[s.key] == s {
		delete(registry.stores, s.key)
	}
}

// findLocked prefers the store that is open for appending: a reader in the same process sees its
// events at once.
func findLocked(key storeKey) *openStore {
	if key.readOnly {
		writable := key
		writable.readOnly = false
		if s := registry.stores[writable]; s != nil {
			return s
		}
	}
	return registry.stores[key]
}

func newOpenStore(key storeKey, c Config) *openStore {
	s := &openStore{
		key: key, config: c, plans: newPlanCache(planCacheEntries, planCacheBytes),
		memory: query.NewMemory(c.Memory), spills: query.NewSpillSpace(), log: newJournal(c),
		opened: make(chan struct{}), closed: make(chan struct{}),
	}
	s.refs.Store(1)
	return s
}

// identify makes the path canonical, creating the directory if the mode says so, and returns the
// store's key. The handle keeps the directory's identity from being used again while the caller
// decides what to do with it.
func identify(c *Config) (storeKey, io.Closer, error) {
	if c.remote != nil {
		return storeKey{remote: c.remoteKey}, nil, nil
	}
	if c.Mode == Memory {
		return storeKey{memory: c.Path}, nil, nil
	}
	path, err := filepath.Abs(c.Path)
	if err != nil {
		return storeKey{}, nil, err
	}
	disk := vfs.OS()
	if c.Mode == ReadWriteCreate {
		if err := makeDirectory(disk, path); err != nil {
			return storeKey{}, nil, err
		}
	}
	// A program that changes its directory, or a link that is changed, must not move an open store.
	if c.Path, err = filepath.EvalSymlinks(path); errors.Is(err, fs.ErrNotExist) {
		return storeKey{}, nil, &engine.NoStoreError{Path: path}
	} else if err != nil {
		return storeKey{}, nil, err
	}
	handle, err := disk.Open(c.Path, readOnlyFlag)
	if err != nil {
		return storeKey{}, nil, err
	}
	info, err := disk.Stat(c.Path)
	if err == nil && !info.Dir {
		err = &engine.FormatError{
			File:   c.Path,
			Reason: "a store is a directory, and this is a file",
		}
	}
	if err != nil {
		handle.Close()
		return storeKey{}, nil, err
	}
	return storeKey{device: info.Device, inode: info.Inode, readOnly: c.Mode == ReadOnly}, handle,
		nil
}

// readOnlyFlag is os.O_RDONLY, which is 0 on every system.
const readOnlyFlag = 0

// makeDirectory creates a directory and those above it, and makes their names durable.
func makeDirectory(disk vfs.FS, path string) error {
	if _, err := disk.Stat(path); err == nil {
		return nil
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := makeDirectory(disk, parent); err != nil {
			return err
		}
	}
	if err := disk.MkdirAll(path); err != nil {
		return err
	}
	return disk.SyncDir(parent)
}

// open opens the engine and tells all who wait.
func (s *openStore) open() {
	defer close(s.opened)
	defer s.log.opened(s)
	if s.config.Store != nil {
		s.store = s.config.Store
		return
	}
	if r := s.config.remote; r != nil {
		s.store, s.err = r.Open(context.Background()) // every Connect waits no longer than its own context
		return
	}
	path, options := s.config.engineOptions()
	store, err := filestore.Open(path, options)
	if err != nil {
		s.err = err
		return
	}
	s.store = store
	if s.config.Mode != Memory { // whose files are in memory, too
		s.views.Keep(store, s.settings())
	}
}

// settings are those of every connection that belong to the store.
func (s *openStore) settings() query.Settings {
	return query.Settings{Shared: s.memory, ViewMemory: s.config.ViewMemory, Views: &s.views}
}

// retain takes one more reference. The caller holds one already.
func (s *openStore) retain() { s.refs.Add(1) }

// tryRetain takes one more reference unless the last one has been given back.
func (s *openStore) tryRetain() bool {
	for {
		n := s.refs.Load()
		if n == 0 {
			return false
		}
		if s.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release gives a reference back. The last one closes the store, and returns when it is closed.
func (s *openStore) release() error {
	if s.refs.Add(-1) > 0 {
		return nil
	}
	return s.finish()
}

// abandon gives a reference back without waiting for the store, which may be opening still.
func (s *openStore) abandon() {
	if s.refs.Add(-1) == 0 {
		go s.finish() // ends when the store has been opened and closed
	}
}

// finish closes the store and takes it out of the registry, where it stays until then so that
// nobody opens it a second time.
func (s *openStore) finish() error {
	err := s.close()
	s.log.closed(s, err)
	s.forget()
	close(s.closed)
	return err
}

func (s *openStore) close() error {
	<-s.opened
	defer closeHandle(s.handle)
	s.views.Close()
	if s.err != nil || s.config.Store != nil {
		return nil
	}
	return s.store.Close()
}

func closeHandle(handle io.Closer) {
	if handle != nil {
		handle.Close()
	}
}

// A lease ties a Connector and its connections to their store. It outlives the Connector, which is
// no more than a handle that the garbage collector may find.
type lease struct {
	config    Config
	functions *query.Functions // of the program; nil for none
	refused   error            // what is wrong with them
	ended     context.Context  // ends with close
	end       context.CancelFunc
	find      func(Config) (s *openStore, closing bool, err error) // lookupStore, but for tests

	checked atomic.Bool // the store has the head that the Config expects

	// protects the fields below; never held while the disk is asked
	mu      sync.Mutex
	store   *openStore // the Connector's reference; nil before the first Connect and after detach
	looking *lookup    // nil if nobody looks for the store
	// nil if nobody compares a store with what the Config expects
	checking *check
	closed   bool // nobody connects any more
}

// acquire returns the store with a reference for the caller. Any number of goroutines may call it
// at once: one opens, the others wait, each no longer than its ctx lasts.
func (l *lease) acquire(ctx context.Context) (*openStore, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s, closing, err := l.begin(ctx)
		if err != nil {
			return nil, err
		}
		wait := s.opened
		if closing {
			wait = s.closed
		}
		select {
		case <-wait:
		case <-ctx.Done():
			if !closing {
				s.abandon()
			}
			return nil, ctx.Err()
		}
		if !closing {
			return l.accept(ctx, s)
		}
	}
}

// accept returns a store that has been opened, or gives the caller's reference to it back.
func (l *lease) accept(ctx context.Context, s *openStore) (*openStore, error) {
	err := s.err
	if err == nil {
		err = l.check(ctx, s)
	}
	switch {
	case err == nil:
		return s, nil
	case s.err == nil && ctx.Err() != nil: // nothing is wrong with it, and its disk may not answer
		s.abandon()
		return nil, ctx.Err()
	}
	l.forget(s)
	s.release()
	return nil, err
}

// checkKeyring refuses a keyring that a copy of the store would have in it.
func (l *lease) checkKeyring(s *openStore) error {
	keys, ok := l.config.Keyring.(interface{ Apart(dir string) error })
	if !ok || s.config.Mode == Memory || s.config.Store != nil || s.config.remote != nil {
		return nil
	}
	if err := keys.Apart(s.config.Path); err != nil {
		return &Error{Code: ErrConfig, Op: "open", Err: err}
	}
	return nil
}

// checkHead compares the store with the head that the Config expects, once.
func (l *lease) checkHead(s *openStore) error {
	if l.config.Expect == (engine.Head{}) || l.checked.Load() {
		return nil
	}
	store, ok := s.store.(interface{ CheckHead(engine.Head) error })
	if !ok {
		return fault(ErrUnsupported, "open",
			"this store has no chain that can be compared with expect")
	}
	err := store.CheckHead(l.config.Expect)
	l.checked.Store(err == nil)
	return err
}

// forget lets the next Connect try to open the store again.
func (l *lease) forget(s *openStore) {
	l.mu.Lock()
	mine := l.store == s
	if mine {
		l.store = nil
	}
	l.mu.Unlock()
	if mine {
		s.release()
	}
}

// detach gives the Connector's reference back. Nobody connects any more.
func (l *lease) detach() error {
	l.mu.Lock()
	l.closed = true
	s := l.store
	l.store = nil
	l.mu.Unlock()
	if s == nil {
		return nil
	}
	return s.release()
}

func (l *lease) close() error {
	l.end()
	return l.detach()
}
