package shred

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
	"unicode/utf8"
)

// A Keyring keeps one key for each subject. [File] and [SQL] are keyrings. All methods may be
// called from any number of goroutines.
//
// A subject's name is 1 to 255 bytes of UTF-8. Names that begin with $ are for the package's own
// use: [Blind] keeps its pepper under one.
type Keyring interface {
	// Key returns the subject's key. If it never had one, Key makes the first if create is set, and
	// returns a *NoKeyError otherwise. A key that is made is durable when Key returns. For a subject
	// that is forgotten the error is a *ForgottenError, also with create.
	Key(ctx context.Context, subject string, create bool) (Key, error)
	// Erase destroys the subject's key and remembers that it did, why and when. erased is false if the
	// subject was forgotten before. For one that never had a key the error is a *NoKeyError. After an
	// *UnfinishedError the key is not given out any more, and not destroyed yet; after other errors it
	// may be as it was: call Erase again, which finishes what was begun.
	Erase(ctx context.Context, subject, reason string) (erased bool, err error)
	// Allow makes the next key for a subject that is forgotten, and nothing for one that has a key.
	// For one that never had a key the error is a *NoKeyError.
	Allow(ctx context.Context, subject string) error
}

// keySize is the size of all keys in bytes: AES-256.
const keySize = 32

// A Key is the key of one subject.
type Key struct {
	Subject  string
	Revision int // from 1; each Allow after an Erase makes the next one
	Secret   [keySize]byte
	Fences   []Fence // of the revisions before, the first one first
}

// String leaves the secret out, so that no log has it.
func (k Key) String() string { return "key of " + k.Subject }

// GoString leaves the secret out as well.
func (k Key) GoString() string { return k.String() }

// A Fence says that a key was destroyed.
type Fence struct {
	Subject     string
	Revision    int       // of the key
	Fingerprint string    // of the key: 16 hexadecimal digits that tell nothing else about it
	At          time.Time // UTC
	Reason      string    // as it was given to Erase
}

// fingerprint returns what a fence keeps of a key.
func fingerprint(secret [keySize]byte) string {
	sum := sha256.Sum256(append([]byte("EVFKEYPRINT1"), secret[:]...))
	return hex.EncodeToString(sum[:8])
}

// newSecret makes a key. crypto/rand ends the program rather than fail.
func newSecret() (secret [keySize]byte) {
	rand.Read(secret[:])
	return secret
}

// newName returns 32 hexadecimal digits that nothing else has: the name of an epoch.
func newName() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// What names may be long, in bytes.
const (
	maxSubject = 255
	maxReason  = 1000
)

// reserved begins the names of subjects that are none.
const reserved = "$"

// checkSubject refuses what is no name of a subject.
func checkSubject(subject string) error {
	switch {
	case subject == "":
		return &ArgumentError{What: "subject", Reason: "is empty"}
	case len(subject) > maxSubject:
		return &ArgumentError{What: "subject", Reason: "is longer than 255 bytes"}
	case !utf8.ValidString(subject) || strings.ContainsRune(subject, 0):
		return &ArgumentError{What: "subject", Reason: "is not UTF-8 without NULs"}
	}
	return nil
}

// checkPerson refuses the names that are kept for this package, too.
func checkPerson(subject string) error {
	if strings.HasPrefix(subject, reserved) {
		return &ArgumentError{What: "subject", Reason: "begins with $, which no subject's name does"}
	}
	return checkSubject(subject)
}

// checkErase refuses what cannot be erased or remembered.
func checkErase(subject, reason string) error {
	switch {
	case len(reason) > maxReason:
		return &ArgumentError{What: "reason", Reason: "is longer than 1000 bytes"}
	case !utf8.ValidString(reason) || strings.ContainsRune(reason, 0):
		return &ArgumentError{What: "reason", Reason: "is not UTF-8 without NULs"}
	}
	return checkPerson(subject)
}
