package format

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/eventfold/eventfold/engine"
)

// NextFrame looks for the frame that follows one that ends at end. A seal begins on a page of its
// own, everything else where the frame before ends. look is asked what begins at an offset, and
// returns 0 if no frame does; so does NextFrame.
func NextFrame(end int64, look func(off int64) (FrameKind, error)) (FrameKind, error) {
	kind, err := look(end)
	page := AlignUp(end, PageSize)
	if kind != 0 || err != nil || page == end {
		return kind, err
	}
	if kind, err = look(page); kind != FrameSeal {
		kind = 0
	}
	return kind, err
}

// A FrameSource gives the bytes of frames.
type FrameSource interface {
	// FrameBytes returns n bytes or more at off, fewer if the segment ends. They live until the
	// next call. If again is set, what it returned before does not check, and is read once more.
	FrameBytes(off int64, n int, again bool) ([]byte, error)
}

// A FrameWalk goes through the frames of one segment by their headers.
type FrameWalk struct {
	At   Place           // where the next frame begins, or where the one before ends
	Next engine.Position // of the next frame's first event
}

// A WalkError tells where a walk has found no frame, and why.
type WalkError struct {
	Offset int64
	Reason error
}

// Error implements error.
func (e *WalkError) Error() string { return fmt.Sprintf("offset %d: %v", e.Offset, e.Reason) }

// Unwrap returns the reason.
func (e *WalkError) Unwrap() error { return e.Reason }

// Why a walk ends, besides what is wrong with a frame's bytes.
var (
	ErrFrameOrder = errors.New("the frame's position does not follow the one before it")
	errPadding    = errors.New("no frame begins here")
)

// Header returns the header of the next frame and moves to where that begins. What does not check
// is read once more. The error is a *WalkError or the source's; the walk then stays where it is.
func (w *FrameWalk) Header(from FrameSource) (h FrameHeader, err error) {
	end := w.At.Offset
	var missing *WalkError
	kind, err := NextFrame(end, func(off int64) (kind FrameKind, err error) {
		w.At.Offset = off
		reason, err := w.look(from, &h)
		switch {
		case reason == nil:
			return h.Kind, err
		case missing == nil || missing.Reason == errPadding: // padding is as it should be
			missing = &WalkError{Offset: off, Reason: reason}
		}
		return 0, nil
	})
	if kind == 0 {
		w.At.Offset = end
		if err == nil {
			err = missing
		}
	}
	return h, err
}

// look decodes the header of a frame that begins at w.At and holds the next event. reason tells why
// there is none.
func (w *FrameWalk) look(from FrameSource, h *FrameHeader) (reason, err error) {
	for _, again := range [...]bool{false, true} {
		b, err := from.FrameBytes(w.At.Offset, FrameHeaderSize, again)
		if err != nil {
			return nil, err
		}
		if *h, reason = DecodeFrameHeader(b, w.At); reason == nil {
			if h.First == w.Next {
				return nil, nil
			}
			reason = ErrFrameOrder
		}
		if w.At.Offset%PageSize != 0 && isPadding(b) {
			return errPadding, nil
		}
	}
	return reason, nil
}

// isPadding reports whether the bytes before a page are as the writer leaves them.
func isPadding(b []byte) bool {
	return len(b) >= FrameAlign && binary.LittleEndian.Uint64(b) == 0
}

// Pass moves behind the frame with header h, which begins where the walk is.
func (w *FrameWalk) Pass(h *FrameHeader) {
	w.At.Offset += int64(h.Size)
	w.Next += engine.Position(h.Count)
}

// To moves to the frame that holds the event at a position at or behind the next one, and returns
// its header.
func (w *FrameWalk) To(from FrameSource, p engine.Position) (h FrameHeader, err error) {
	for {
		if h, err = w.Header(from); err != nil || h.First+engine.Position(h.Count) > p {
			return h, err
		}
		w.Pass(&h)
	}
}
