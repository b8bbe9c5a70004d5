package crashtest

import (
	"bytes"
	"maps"
	"slices"
)

// The units of the model: caches hold pages, disks write sectors.
const (
	pageSize   = 4096
	sectorSize = 512
)

// A page never changes after it was made. nil is a page of zeros.
type page [pageSize]byte

var zeroPage page

func (p *page) bytes() []byte {
	if p == nil {
		return zeroPage[:]
	}
	return p[:]
}

// An image is the content of a file: pages beyond the end of the list are zeros, bytes beyond size
// in its last page too.
type image struct {
	pages []*page
	size  int64
}

func (m *image) page(i int) *page {
	if i >= len(m.pages) {
		return nil
	}
	return m.pages[i]
}

func (m *image) set(i int, p *page) {
	for len(m.pages) <= i {
		m.pages = append(m.pages, nil)
	}
	m.pages[i] = p
}

func (m *image) clone() image { return image{slices.Clone(m.pages), m.size} }

// bytes returns the content as one piece.
func (m *image) bytes() []byte {
	content := make([]byte, 0, m.size+pageSize)
	for i := range int((m.size + pageSize - 1) / pageSize) {
		content = append(content, m.page(i).bytes()...)
	}
	return content[:m.size]
}

// cut drops what lies beyond size.
func (m *image) cut(size int64) {
	m.size = size
	count := int((size + pageSize - 1) / pageSize)
	if len(m.pages) > count {
		m.pages = m.pages[:count:count]
	}
	if at := int(size % pageSize); at != 0 && len(m.pages) == count {
		m.pages[count-1] = patched(m.pages[count-1], at, zeroPage[at:])
	}
}

// patched returns a page with p written at an offset.
func patched(old *page, at int, p []byte) *page {
	if bytes.Equal(old.bytes()[at:at+len(p)], p) {
		return old
	}
	n := new(page)
	copy(n[:], old.bytes())
	copy(n[at:], p)
	return n
}

// A version is a page as an unsynced write left it. Bytes from to to are the ones written.
type version struct {
	index    int
	page     *page
	from, to int
}

// An inode is a file or a directory.
type inode struct {
	id       uint64
	dir      bool
	link     string // where it leads to; "" for what is no link
	modified int64
	opened   int // open files and locks

	// Of a file.
	cached  image     // what everybody reads
	durable image     // what the disk has for certain
	dirty   []version // unsynced writes in order; a sync writes these pages as the cache has them
	sizes   []int64   // sizes after unsynced changes, in order
	errors  int       // failed write-backs and syncs that the system noticed (Linux: errseq_t)
	told    int       // the number of them that somebody was told of
	late    error     // what the next sync returns

	// Of a directory: inode numbers by name.
	entries        map[string]uint64
	durableEntries map[string]uint64
}

func (f *FS) newInode(dir bool) *inode {
	f.last++
	n := &inode{id: f.last, dir: dir, modified: f.tick()}
	if dir {
		n.entries, n.durableEntries = map[string]uint64{}, map[string]uint64{}
	}
	f.inodes[n.id] = n
	return n
}

func (n *inode) clone() *inode {
	c := *n
	c.opened = 0
	c.cached, c.durable = n.cached.clone(), n.durable.clone()
	c.dirty, c.sizes = slices.Clone(n.dirty), slices.Clone(n.sizes)
	c.entries, c.durableEntries = maps.Clone(n.entries), maps.Clone(n.durableEntries)
	return &c
}

// unseenError returns where a descriptor opened now stands: an error that nobody was told of is
// still to be told.
func (n *inode) unseenError() int { return n.told }

// write puts p into the cache.
func (n *inode) write(p []byte, off int64) {
	for len(p) > 0 {
		index, at := int(off/pageSize), int(off%pageSize)
		part := p[:min(len(p), pageSize-at)]
		n.replace(index, patched(n.cached.page(index), at, part), at, at+len(part))
		p, off = p[len(part):], off+int64(len(part))
		n.resized(max(n.cached.size, off))
	}
}

func (n *inode) replace(index int, p *page, from, to int) {
	n.cached.set(index, p)
	n.dirty = append(n.dirty, version{index, p, from, to})
}

// resized notes a new size of the cache.
func (n *inode) resized(size int64) {
	if size != n.cached.size {
		n.cached.size = size
		n.sizes = append(n.sizes, size)
	}
}

// truncate sets the size of the cache.
func (n *inode) truncate(size int64) {
	if size < n.cached.size {
		first := int(size / pageSize)
		for i := len(n.cached.pages) - 1; i >= first; i-- {
			at := 0
			if i == first {
				at = int(size % pageSize)
			}
			if n.cached.pages[i] != nil {
				n.replace(i, patched(n.cached.pages[i], at, zeroPage[at:]), at, pageSize)
			}
		}
	}
	n.resized(size)
}

// sync makes the file durable.
func (n *inode) sync() {
	for _, v := range n.dirty {
		n.durable.set(v.index, n.cached.page(v.index))
	}
	n.durable.cut(n.cached.size)
	n.dirty, n.sizes = nil, nil
}

// writeBack makes the pages that keep names durable, as the system may at any time.
func (n *inode) writeBack(keep func(index int) bool) {
	var left []version
	for _, v := range n.dirty {
		if keep(v.index) {
			n.durable.set(v.index, n.cached.page(v.index))
		} else {
			left = append(left, v)
		}
	}
	n.dirty = left
}
