package vfs

import "errors"

// Notices tell of writes to a file, by whichever process of this machine. They come soon after the
// write, several for one or one for several. What other machines write to a network file system
// they do not tell.
type Notices struct {
	C     <-chan struct{} // holds one; never closed
	close func()
}

// NewNotices returns notices that come through told. Close calls end, which waits until none comes
// any more.
func NewNotices(told <-chan struct{}, end func()) *Notices { return &Notices{C: told, close: end} }

// Close ends the notices. It is called once.
func (n *Notices) Close() { n.close() }

// A Noticer is a File that can give notice of writes to it.
type Noticer interface{ Notices() (*Notices, error) }

// NoticesOf returns notices of writes to a file, which need not stay open. Where there are none the
// error matches errors.ErrUnsupported; others are of a system that has no more to give.
func NoticesOf(f File) (*Notices, error) {
	if n, ok := f.(Noticer); ok {
		return n.Notices()
	}
	return nil, errors.ErrUnsupported
}
