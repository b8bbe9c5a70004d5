package crashtest

import (
	"io/fs"
	"path"
	"slices"
	"syscall"
)

// ReadFile returns what the cache has of a file. It is no call that is counted.
func (f *FS) ReadFile(name string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.find(name)
	if err == nil && n.dir {
		err = syscall.EISDIR
	}
	if err != nil {
		return nil, pathError("read", name, err)
	}
	return n.cached.bytes(), nil
}

// WriteFile makes content the durable content of a file that exists or whose directory does. It is
// no call that is counted.
func (f *FS) WriteFile(name string, content []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	dir, last, err := f.walk(name)
	if err != nil {
		return pathError("write", name, err)
	}
	n := f.inodes[dir.entries[last]]
	if n == nil {
		n = f.newInode(false)
		dir.entries[last], dir.durableEntries[last] = n.id, n.id
	}
	if n.dir {
		return pathError("write", name, syscall.EISDIR)
	}
	n.truncate(0)
	n.write(content, 0)
	n.sync()
	n.modified = f.tick()
	return nil
}

// Symlink makes a name that leads to another one, durably. It is no call that is counted.
func (f *FS) Symlink(target, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	dir, last, err := f.walk(name)
	if err == nil && dir.entries[last] != 0 {
		err = fs.ErrExist
	}
	if err != nil {
		return pathError("symlink", name, err)
	}
	n := f.newInode(false)
	n.link = target
	dir.entries[last], dir.durableEntries[last] = n.id, n.id
	f.links++
	return nil
}

// RemoveFile removes a file durably. It is no call that is counted.
func (f *FS) RemoveFile(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	dir, last, err := f.walk(name)
	if err != nil {
		return pathError("remove", name, err)
	}
	if dir.entries[last] == 0 {
		return pathError("remove", name, fs.ErrNotExist)
	}
	delete(dir.entries, last)
	delete(dir.durableEntries, last)
	f.forgetUnreachable()
	return nil
}

// Files lists all files with their whole names, sorted.
func (f *FS) Files() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	var list func(dir string, n *inode)
	list = func(dir string, n *inode) {
		for name, id := range n.entries {
			child, whole := f.inodes[id], path.Join(dir, name)
			if child.dir {
				list(whole, child)
			} else {
				names = append(names, whole)
			}
		}
	}
	list("/", f.inodes[rootInode])
	slices.Sort(names)
	return names
}
