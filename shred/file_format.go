package shred

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// A keyringHeader is the first line of the file KEYS of a keyring in files, which is text:
//
//	{"eventfold_keyring":1,"epoch":"32 hexadecimal digits","previous":"...","next":"..."}
//
// It says which epoch the file is of. previous is the epoch before, whose key is to be destroyed, ""
// if there was none; next is the one that an erasure begins, "" if none is under way. Each line that
// follows is base64 of a record, encrypted under the epoch's key (AES-256-GCM, random nonce), with
// the epoch's name and the number of the line authenticated besides, so that lines can be neither
// changed nor moved, nor left out but at the end. Records are keys, fences and marks:
//
//	{"s":"customer:42","r":1,"k":"base64"}
//	{"s":"customer:42","r":1,"f":"fingerprint","t":"...","w":"why","n":"..."}
//	{"s":"","r":0}
//
// n is the epoch that begins with this erasure; it is left out once that has begun. The records of
// one subject are in the order in which they happened. Keys and fences are appended, and synced; an
// erasure then writes the file anew, without the key.
//
// A last line that cannot be read is torn: it was being written when the machine stopped, nobody was
// told that it is there, and it is cut off. What the disk has in its place may hold line ends itself;
// see isTorn. Any other line that cannot be read is damage. So that a damaged line is not taken for a
// torn one, a file that is written anew ends with a mark, and opening and closing the keyring append
// one behind keys.
type keyringHeader struct {
	Version  int    `json:"eventfold_keyring"`
	Epoch    string `json:"epoch"`
	Previous string `json:"previous"`
	Next     string `json:"next"`
}

const keyringVersion = 1

// A record is one line.
type record struct {
	Subject     string     `json:"s"`
	Revision    int        `json:"r"`
	Secret      []byte     `json:"k,omitempty"`
	Fingerprint string     `json:"f,omitempty"`
	At          *time.Time `json:"t,omitempty"`
	Reason      string     `json:"w,omitempty"`
	Next        string     `json:"n,omitempty"`
}

// keyRecord is the record of a key.
func keyRecord(k Key) record {
	return record{Subject: k.Subject, Revision: k.Revision, Secret: k.Secret[:]}
}

// fenceRecord is the record of a fence.
func fenceRecord(f Fence, next string) record {
	return record{Subject: f.Subject, Revision: f.Revision, Fingerprint: f.Fingerprint, At: &f.At,
		Reason: f.Reason, Next: next}
}

// An epochKey is the key that a keyring is wrapped with now.
type epochKey struct {
	name   string
	secret [keySize]byte
}

// line makes a record a line of the file, the one with that number.
func (e epochKey) line(number int, r record) ([]byte, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	return []byte(encode(encrypt(e.secret, text, bind("EVFKEYRING1", uint64(number), e.name))) + "\n"), nil
}

// record reads a line.
func (e epochKey) record(number int, line []byte) (r record, ok bool) {
	b, err := decode(string(line))
	if err != nil {
		return r, false
	}
	text, ok := decrypt(e.secret, b, bind("EVFKEYRING1", uint64(number), e.name))
	return r, ok && json.Unmarshal(text, &r) == nil
}

// A subjectKeys is what a keyring knows of one subject.
type subjectKeys struct {
	revision int // of the last key, which is destroyed if a fence has the same
	secret   [keySize]byte
	fences   []Fence
}

// forgotten tells whether the last key is destroyed.
func (s *subjectKeys) forgotten() bool {
	n := len(s.fences)
	return n > 0 && s.fences[n-1].Revision == s.revision
}

// key returns the key, or the error of a subject that is forgotten.
func (s *subjectKeys) key(subject string) (Key, error) {
	if s.forgotten() {
		n := len(s.fences) - 1
		return Key{}, &ForgottenError{Fence: s.fences[n], Earlier: slices.Clip(s.fences[:n])}
	}
	return Key{Subject: subject, Revision: s.revision, Secret: s.secret, Fences: slices.Clip(s.fences)}, nil
}

// apply does what a record says. ok is false if the record cannot follow what was there.
func apply(all map[string]*subjectKeys, r record) (ok bool) {
	s := all[r.Subject]
	if s == nil {
		s = &subjectKeys{}
	}
	if r.Secret != nil {
		if r.Revision != s.revision+1 || len(r.Secret) != keySize || s.revision > 0 && !s.forgotten() {
			return false
		}
		s.revision = r.Revision
		copy(s.secret[:], r.Secret)
		for _, f := range s.fences {
			if f.Fingerprint == fingerprint(s.secret) {
				return false // a destroyed key does not come back
			}
		}
	} else {
		alone := s.revision == 0 || s.forgotten() // its key has been dropped already
		if r.At == nil || alone && r.Revision != s.revision+1 || !alone && r.Revision != s.revision {
			return false
		}
		s.revision = r.Revision
		s.secret = [keySize]byte{}
		s.fences = append(s.fences, Fence{r.Subject, r.Revision, r.Fingerprint, *r.At, r.Reason})
	}
	all[r.Subject] = s
	return true
}

// records lists what a keyring holds, as the lines of a new file.
func records(all map[string]*subjectKeys) (list []record) {
	for subject, s := range all {
		for _, f := range s.fences {
			list = append(list, fenceRecord(f, ""))
		}
		if !s.forgotten() {
			list = append(list, keyRecord(Key{Subject: subject, Revision: s.revision, Secret: s.secret}))
		}
	}
	return list
}

// damagedLine is the error for a line that is whole and cannot be read.
func damagedLine(path string, number int) error {
	return &DamagedError{Path: path, Line: number, Reason: "is not what was written with this epoch key"}
}

// readHeader reads the first line.
func readHeader(path string, line []byte) (h keyringHeader, err error) {
	bad := func(epoch string) bool { return epoch != "" && checkEpoch(epoch) != nil }
	if err := json.Unmarshal(line, &h); err != nil || h.Version < 1 || checkEpoch(h.Epoch) != nil ||
		bad(h.Previous) || bad(h.Next) {
		return h, &DamagedError{Path: path, Line: 1, Reason: "does not begin a keyring"}
	}
	if h.Version > keyringVersion {
		return h, &DamagedError{Path: path, Line: 1,
			Reason: "is of the later version " + strconv.Itoa(h.Version)}
	}
	return h, nil
}
