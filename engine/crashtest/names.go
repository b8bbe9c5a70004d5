package crashtest

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"github.com/eventfold/eventfold/internal/sabotage"
)

// An entry is what a directory says about one name.
type entry struct {
	dir   uint64
	name  string
	inode uint64 // 0: there is no such name
}

// A nameOp is a change of names that happens as a whole or not at all.
type nameOp []entry

func (op nameOp) touches(dir uint64) bool {
	return slices.ContainsFunc(op, func(e entry) bool { return e.dir == dir })
}

// change changes names in the cache.
func (f *FS) change(op nameOp) {
	f.changes++
	for _, e := range op {
		d := f.inodes[e.dir]
		setEntry(d.entries, e)
		d.modified = f.tick()
	}
	f.pending = append(f.pending, op)
}

func setEntry(entries map[string]uint64, e entry) {
	if e.inode == 0 {
		delete(entries, e.name)
		return
	}
	entries[e.name] = e.inode
}

// makeDurable makes a change of names durable.
func (f *FS) makeDurable(op nameOp) {
	for _, e := range op {
		if d := f.inodes[e.dir]; d != nil {
			setEntry(d.durableEntries, e)
		}
	}
}

// Rename renames a file or a directory, over another file if there is one.
func (f *FS) Rename(from, to string) error {
	fault, end := f.begin(Call{Op: OpRename, Name: to})
	defer end()
	err := fault.Err
	if err == nil {
		err = f.rename(from, to)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

func (f *FS) rename(from, to string) error {
	source, old, err := f.walk(from)
	if err != nil {
		return err
	}
	target, name, err := f.walk(to)
	if err != nil {
		return err
	}
	n, over := f.inodes[source.entries[old]], f.inodes[target.entries[name]]
	switch {
	case n == nil:
		return fs.ErrNotExist
	case over != nil && over.dir:
		return fs.ErrExist // as os.Rename has it, whatever is renamed
	case n == over:
		return nil
	case n.dir && f.isBelow(target, n):
		return syscall.EINVAL
	case n.dir && over != nil:
		return syscall.ENOTDIR
	}
	f.change(nameOp{{source.id, old, 0}, {target.id, name, n.id}})
	f.forgetUnreachable()
	return nil
}

// Exchange exchanges two names, which is one change, unless NoExchange has taken that away.
func (f *FS) Exchange(a, b string) error {
	fault, end := f.begin(Call{Op: OpExchange, Name: b})
	defer end()
	err := fault.Err
	if err == nil {
		err = f.exchange(a, b)
	}
	if err != nil {
		return &os.LinkError{Op: "exchange", Old: a, New: b, Err: err}
	}
	return nil
}

func (f *FS) exchange(a, b string) error {
	one, nameOne, err := f.walk(a)
	if err != nil {
		return err
	}
	two, nameTwo, err := f.walk(b)
	if err != nil {
		return err
	}
	m, n := one.entries[nameOne], two.entries[nameTwo]
	switch {
	case f.noExchange:
		return errors.ErrUnsupported
	case m == 0 || n == 0:
		return fs.ErrNotExist
	}
	f.change(nameOp{{one.id, nameOne, n}, {two.id, nameTwo, m}})
	return nil
}

// isBelow reports whether directory d is dir or in it.
func (f *FS) isBelow(d, dir *inode) bool {
	if d == dir {
		return true
	}
	for _, id := range dir.entries {
		if child := f.inodes[id]; child.dir && f.isBelow(d, child) {
			return true
		}
	}
	return false
}

// Link gives a file another name.
func (f *FS) Link(from, to string) error {
	fault, end := f.begin(Call{Op: OpLink, Name: to})
	defer end()
	err := fault.Err
	if err == nil {
		err = f.link(from, to)
	}
	if err != nil {
		return &os.LinkError{Op: "link", Old: from, New: to, Err: err}
	}
	return nil
}

func (f *FS) link(from, to string) error {
	n, err := f.find(from)
	if err != nil {
		return err
	}
	dir, name, err := f.walk(to)
	switch {
	case err != nil:
		return err
	case name == "" || dir.entries[name] != 0:
		return fs.ErrExist
	case n.dir:
		return syscall.EPERM
	}
	f.change(nameOp{{dir.id, name, n.id}})
	return nil
}

// Remove removes a file or an empty directory.
func (f *FS) Remove(name string) error {
	fault, end := f.begin(Call{Op: OpRemove, Name: name})
	defer end()
	err := fault.Err
	if err == nil {
		err = f.remove(name)
	}
	if err != nil {
		return pathError("remove", name, err)
	}
	return nil
}

func (f *FS) remove(name string) error {
	dir, last, err := f.walk(name)
	if err != nil {
		return err
	}
	n := f.inodes[dir.entries[last]]
	switch {
	case last == "":
		return syscall.EBUSY
	case n == nil:
		return fs.ErrNotExist
	case len(n.entries) > 0:
		return syscall.ENOTEMPTY
	}
	f.change(nameOp{{dir.id, last, 0}})
	f.forgetUnreachable()
	return nil
}

// MkdirAll makes a directory and those above it. Each of them is a change of its own.
func (f *FS) MkdirAll(dir string) error {
	fault, end := f.begin(Call{Op: OpMkdirAll, Name: dir})
	defer end()
	err := fault.Err
	if err == nil {
		err = f.mkdirAll(dir)
	}
	if err != nil {
		return pathError("mkdir", dir, err)
	}
	return nil
}

func (f *FS) mkdirAll(dir string) error {
	at := f.inodes[rootInode]
	for _, name := range split(dir) {
		if name == "." {
			continue
		}
		next := f.inodes[at.entries[name]]
		if next == nil {
			next = f.newInode(true)
			f.change(nameOp{{at.id, name, next.id}})
		}
		if !next.dir {
			return syscall.ENOTDIR
		}
		at = next
	}
	return nil
}

// Mkdir makes one directory. Permissions are not kept.
func (f *FS) Mkdir(dir string, _ fs.FileMode) error {
	fault, end := f.begin(Call{Op: OpMkdir, Name: dir})
	defer end()
	err := fault.Err
	if err == nil {
		err = f.mkdir(dir)
	}
	if err != nil {
		return pathError("mkdir", dir, err)
	}
	return nil
}

func (f *FS) mkdir(dir string) error {
	parent, name, err := f.walk(dir)
	switch {
	case err != nil:
		return err
	case !parent.dir:
		return syscall.ENOTDIR
	case name == "" || parent.entries[name] != 0:
		return fs.ErrExist
	}
	f.change(nameOp{{parent.id, name, f.newInode(true).id}})
	return nil
}

// SyncDir makes the changes of names in dir durable. A rename from or to another directory goes
// with it as a whole.
func (f *FS) SyncDir(dir string) error {
	if sabotage.On(sabotage.NoDirFsync) {
		return nil
	}
	fault, end := f.begin(Call{Op: OpSyncDir, Name: dir})
	defer end()
	if fault.Err != nil {
		return pathError("sync", dir, fault.Err)
	}
	d, err := f.find(dir)
	if err == nil && !d.dir {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return pathError("sync", dir, err)
	}
	f.pending = slices.DeleteFunc(f.pending, func(op nameOp) bool {
		if !op.touches(d.id) {
			return false
		}
		f.changes++
		f.makeDurable(op)
		return true
	})
	f.forgetUnreachable()
	return nil
}

// release ends the use of an open file.
func (f *FS) release(n *inode) {
	n.opened--
	if n.opened == 0 {
		f.forgetUnreachable()
	}
}

// forgetUnreachable drops the inodes that have no name, in the cache or after any crash, and are
// not open.
func (f *FS) forgetUnreachable() {
	reached := make(map[uint64]bool, len(f.inodes))
	var reach func(id uint64)
	reach = func(id uint64) {
		n := f.inodes[id]
		if n == nil || reached[id] {
			return
		}
		reached[id] = true
		for _, child := range n.entries {
			reach(child)
		}
		for _, child := range n.durableEntries {
			reach(child)
		}
	}
	reach(rootInode)
	for _, op := range f.pending {
		for _, e := range op {
			reach(e.dir)
			reach(e.inode)
		}
	}
	for id, n := range f.inodes {
		if !reached[id] && n.opened == 0 {
			delete(f.inodes, id)
		}
	}
}
