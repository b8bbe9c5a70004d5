package vfs

import (
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"unsafe"
)

// A Mapper is a File of which single records can be copied without asking the operating system for
// each.
//
// It is no way around ReadAt, only a short cut to what ReadAt has read before: those bytes are in
// the system's cache, so that looking at them does not wait for the disk, which would keep a
// processor from all other goroutines. Whatever cannot be had in this way is read with ReadAt,
// which says what is wrong. Bytes are copied out and checked in the copy.
type Mapper interface {
	// hold returns the file's bytes in memory up to offset to at least; nil if that cannot be.
	// After anything but nil release must be called; Close waits for it.
	Hold(to int64) *FileMap
	Release()
}

// mapPage is the size of the pieces of a file that are known to have been read or not, in bytes.
const mapPage = 4096

// A FileMap is the content of a file in memory.
type FileMap struct {
	Data []byte
	read []atomic.Uint64 // a bit for each page that ReadAt has read
}

// note tells that ReadAt has read the n bytes at off.
func (m *FileMap) note(off int64, n int) {
	end := min(off+int64(n), int64(len(m.Data)))
	for p := off / mapPage; p*mapPage < end; p++ {
		if w, bit := &m.read[p/64], uint64(1)<<(p%64); w.Load()&bit == 0 {
			w.Or(bit)
		}
	}
}

// Has reports whether ReadAt has read the n bytes at off.
func (m *FileMap) Has(off int64, n int) bool {
	if off < 0 || off+int64(n) > int64(len(m.Data)) {
		return false
	}
	for p := off / mapPage; p*mapPage < off+int64(n); p++ {
		if m.read[p/64].Load()>>(p%64)&1 == 0 {
			return false
		}
	}
	return true
}

// What a process has looked at in maps counts as its memory, though the system could have it back
// at any time, and how much comes along with the bytes looked at is the system's affair (64 KiB, or
// a whole large page). So that this stays bounded, all of it is given back when it has come to
// maxLooked bytes and earnedLooks times what was copied out, at most maxEarned: looking again
// costs a fault for each page, which is about as much as reading. Thus a store that is asked now
// and then stays small, and one that is read again and again from everywhere has its log at hand.
const (
	maxLooked   = 48 << 20
	earnedLooks = 4
	maxEarned   = 1 << 30
	looksAsked  = 64 // the system is asked after so many groups of records
)

// looks is what this process has looked at.
var looks struct {
	groups atomic.Uint32
	copied atomic.Int64 // bytes

	mu   sync.Mutex // protects maps
	maps map[*FileMap]struct{}
}

// ForgetLooks gives back the memory of all maps, if there is much of it, after n bytes were copied.
// Others may look at them meanwhile.
func ForgetLooks(n int) {
	copied := looks.copied.Add(int64(n))
	if looks.groups.Add(1)%looksAsked == 0 && residentFiles() > maxLooked+min(earnedLooks*copied, maxEarned) {
		forgetMaps()
	}
}

func forgetMaps() {
	looks.mu.Lock()
	defer looks.mu.Unlock()
	for m := range looks.maps {
		forgetPages(m.Data)
	}
}

func (m *FileMap) register() {
	looks.mu.Lock()
	defer looks.mu.Unlock()
	if looks.maps == nil {
		looks.maps = map[*FileMap]struct{}{}
	}
	looks.maps[m] = struct{}{}
}

func (m *FileMap) unregister() {
	looks.mu.Lock()
	defer looks.mu.Unlock()
	delete(looks.maps, m)
}

// Guard calls look, which reads data, and reports whether it came to its end. It does not if a page
// cannot be brought in: then the file has become shorter, or the disk has failed.
func (m *FileMap) Guard(look func(m *FileMap)) (ok bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if ok {
			return
		}
		if r := recover(); !m.faulted(r) {
			panic(r)
		}
	}()
	look(m)
	return true
}

// faulted reports whether a panic's value says that an address in data cannot be read.
func (m *FileMap) faulted(r any) bool {
	fault, ok := r.(interface{ Addr() uintptr })
	begin := uintptr(unsafe.Pointer(unsafe.SliceData(m.Data)))
	return ok && fault.Addr() >= begin && fault.Addr()-begin < uintptr(len(m.Data))
}

// maxMapped is how many bytes a process maps at most; other files are read with ReadAt only.
const maxMapped = 64 << 30

var mappedBytes atomic.Int64 // by this process

// A mapping is the map of one open file. It is made when somebody first asks for it.
type mapping struct {
	current atomic.Pointer[FileMap]

	mu      sync.RWMutex // held for reading by those who look at the bytes
	refused bool         // the file cannot be mapped, or is closed
}

// note tells that ReadAt has read n bytes at off.
func (m *mapping) note(off int64, n int) {
	if f := m.current.Load(); f != nil && n > 0 {
		f.note(off, n)
	}
}

// hold returns the map of f with mu held for reading, or nil.
func (m *mapping) hold(f *os.File, to int64) *FileMap {
	for range 2 {
		m.mu.RLock()
		if c := m.current.Load(); c != nil && to <= int64(len(c.Data)) {
			return c
		}
		refused := m.refused
		m.mu.RUnlock()
		if refused || !m.extend(f, to) {
			return nil
		}
	}
	return nil
}

// extend maps f as long as it is now, if that is at least to.
func (m *mapping) extend(f *os.File, to int64) bool {
	st, err := f.Stat()
	if err != nil || st.Size() < to {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refused {
		return false
	}
	old := m.current.Load()
	if old != nil && int64(len(old.Data)) >= to { // somebody else has
		return true
	}
	size := st.Size()
	if mappedBytes.Add(size) > maxMapped {
		mappedBytes.Add(-size)
		return false
	}
	data, err := mapFile(f, size)
	if err != nil {
		mappedBytes.Add(-size)
		m.refused = true // what is mapped already stays
		return false
	}
	c := &FileMap{Data: data, read: make([]atomic.Uint64, size/(64*mapPage)+1)}
	if old != nil {
		for i := range old.read {
			c.read[i].Store(old.read[i].Load())
		}
		m.unmapLocked()
	}
	c.register()
	m.current.Store(c)
	return true
}

// unmapLocked undoes the map.
func (m *mapping) unmapLocked() {
	if c := m.current.Swap(nil); c != nil {
		c.unregister()
		unmapFile(c.Data)
		mappedBytes.Add(-int64(len(c.Data)))
	}
}

// close undoes the map once nobody looks at it, for good.
func (m *mapping) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refused = true
	m.unmapLocked()
}
