package shred

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// What errors.Is asks for.
var (
	ErrForgotten    = errors.New("eventfold: the subject is forgotten")                     // see ForgottenError
	ErrNoKey        = errors.New("eventfold: the subject has never had a key")              // see NoKeyError
	ErrNotAuthentic = errors.New("eventfold: the sealed value is not authentic")            // see NotAuthenticError
	ErrNoEpoch      = errors.New("eventfold: the epoch key is destroyed or was never here") // see EpochError
	ErrReadOnly     = errors.New("eventfold: the keyring is open for reading only")
	ErrClosed       = errors.New("eventfold: the keyring is closed")
)

// A ForgottenError reports that a subject's key was destroyed. What it has sealed is gone for good.
type ForgottenError struct {
	Fence           // the last one, or that of the value
	Earlier []Fence // of earlier revisions, the first one first
}

// Error implements error.
func (e *ForgottenError) Error() string {
	return fmt.Sprintf("eventfold: the key of %q, revision %d, was destroyed at %s",
		e.Subject, e.Revision, e.At.UTC().Format(time.RFC3339))
}

// Is makes errors.Is(err, ErrForgotten) hold.
func (e *ForgottenError) Is(target error) bool { return target == ErrForgotten }

// of returns the error for a value of one revision, nil if no fence is that revision's.
func (e *ForgottenError) of(revision int) error {
	if e.Revision == revision {
		return e
	}
	return forgottenIn(e.Earlier, revision)
}

// forgottenIn returns the error for a value of a revision that one of the fences is about, nil if
// none is.
func forgottenIn(fences []Fence, revision int) error {
	for i, f := range fences {
		if f.Revision == revision {
			return &ForgottenError{Fence: f, Earlier: fences[:i]}
		}
	}
	return nil
}

// A NoKeyError reports that the keyring has never had a key for the subject. It may be the wrong
// keyring, or a backup that is older than the subject.
type NoKeyError struct {
	Subject string
}

// Error implements error.
func (e *NoKeyError) Error() string {
	return fmt.Sprintf("eventfold: this keyring has never had a key for %q", e.Subject)
}

// Is makes errors.Is(err, ErrNoKey) hold.
func (e *NoKeyError) Is(target error) bool { return target == ErrNoKey }

// A NotAuthenticError reports that a sealed value is not what was sealed in this place for this
// subject: it was moved or changed, or the key is another one.
type NotAuthenticError struct {
	Place    Place
	Subject  string // "" if the value does not say
	Revision int
	Reason   string
}

// Error implements error.
func (e *NotAuthenticError) Error() string {
	return fmt.Sprintf("eventfold: the sealed value at %s of an event of type %q in stream %q is "+
		"not authentic: %s", e.Place.Path, e.Place.Type, e.Place.Stream, e.Reason)
}

// Is makes errors.Is(err, ErrNotAuthentic) hold.
func (e *NotAuthenticError) Is(target error) bool { return target == ErrNotAuthentic }

// An UnfinishedError reports that a key is not given out any more, and not destroyed yet. Erase it
// again; opening the keyring again finishes it, too.
type UnfinishedError struct {
	Subject string
	Err     error // why, never nil
}

// Error implements error.
func (e *UnfinishedError) Error() string {
	return fmt.Sprintf("eventfold: the key of %q is not given out any more, but not destroyed yet: %s",
		e.Subject, strings.TrimPrefix(e.Err.Error(), "eventfold: "))
}

// Unwrap returns why.
func (e *UnfinishedError) Unwrap() error { return e.Err }

// An ArgumentError reports what can never be sealed, erased or opened.
type ArgumentError struct {
	What   string // subject, reason, path, struct tag, ...
	Reason string
}

// Error implements error.
func (e *ArgumentError) Error() string { return "eventfold: the " + e.What + " " + e.Reason }

// An EpochError reports that there is no key of an epoch. A keyring that says so is an old copy: a
// key was erased since, and with it all earlier copies.
type EpochError struct {
	Epoch   string
	Keyring string // "" if the error comes from the epoch keys alone
}

// Error implements error.
func (e *EpochError) Error() string {
	if e.Keyring == "" {
		return fmt.Sprintf("eventfold: there is no key of the epoch %s", e.Epoch)
	}
	return fmt.Sprintf("eventfold: the keyring %s is of the epoch %s, whose key is not there: "+
		"it is an old copy, from before an erasure, or these are other epoch keys", e.Keyring, e.Epoch)
}

// Is makes errors.Is(err, ErrNoEpoch) hold.
func (e *EpochError) Is(target error) bool { return target == ErrNoEpoch }

// A DamagedError reports that a file is not what this package has written.
type DamagedError struct {
	Path   string
	Line   int // from 1; 0 for the whole file
	Reason string
}

// Error implements error.
func (e *DamagedError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("eventfold: %s %s", e.Path, e.Reason)
	}
	return fmt.Sprintf("eventfold: line %d of %s %s", e.Line, e.Path, e.Reason)
}

// A DirectoryError reports that a directory cannot hold keys.
type DirectoryError struct {
	Path   string
	Reason string
}

// Error implements error.
func (e *DirectoryError) Error() string {
	return fmt.Sprintf("eventfold: keys cannot be kept in %s: %s", e.Path, e.Reason)
}
