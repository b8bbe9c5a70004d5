package shred

import "context"

// Erase implements Keyring. Its steps, after each of which the machine may stop:
//
//  1. The fence is appended, with the name of the next epoch: the key is not given out any more.
//  2. The next epoch key is made.
//  3. The file is written anew, without the key, under the next epoch key, and replaced.
//  4. The epoch key before is destroyed, and with it every copy of the file that was made before.
//
// Each can be repeated. If a later step than the first fails, the error says so, and Erase, Allow
// and OpenFile go on from there.
func (f *File) Erase(ctx context.Context, subject, reason string) (erased bool, err error) {
	if err := checkErase(subject, reason); err != nil {
		return false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case f.closed:
		return false, ErrClosed
	case f.readOnly:
		return false, ErrReadOnly
	}
	if err := f.finish(ctx); err != nil {
		return false, err
	}
	s := f.state.all[subject]
	switch {
	case s == nil:
		return false, &NoKeyError{Subject: subject}
	case s.forgotten():
		return false, nil
	}
	fence := Fence{subject, s.revision, fingerprint(s.secret), f.now().UTC(), reason}
	next := newName()
	if err := f.append(fenceRecord(fence, next)); err != nil {
		return false, err
	}
	f.state.next = next
	if err := f.finish(ctx); err != nil {
		return false, &UnfinishedError{subject, err}
	}
	return true, nil
}

// finish takes the steps of an erasure that are left. The lock is held.
func (f *File) finish(ctx context.Context) error {
	if next := f.state.next; next != "" {
		secret, err := f.epochs.Make(ctx, next)
		if err != nil {
			return err
		}
		if err := f.rewrite(epochKey{next, secret}, f.state.epoch.name); err != nil {
			return err
		}
	}
	if f.dirty {
		if err := f.rewrite(f.state.epoch, f.state.previous); err != nil {
			return err
		}
	}
	if f.state.previous != "" {
		if err := f.epochs.Destroy(ctx, f.state.previous); err != nil {
			return err
		}
		f.state.previous = ""
	}
	return nil
}
