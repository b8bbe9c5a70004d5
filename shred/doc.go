// Package shred seals the personal parts of events, so that they can be destroyed later by
// destroying a key: in the store, in its backups and replicas, and in every export, all at once.
//
// # How is a value sealed?
//
// What is sealed stands inside the JSON of an event, beside what is not, which stays queryable:
//
//	{"total": 12.5, "email": {"$sealed": {"s": "customer:42", "r": 1, "v": "base64..."}}}
//
// s is the subject: whose value it is. r is the revision of the subject's key, v the nonce and the
// ciphertext of the value's JSON. The values of one event may belong to several subjects. [Marshal]
// and [Unmarshal] seal and open the fields of a struct that have a tag:
//
//	type Placed struct {
//		Customer string // such as customer:42
//		Email    string `pii:"Customer"`
//		Total    float64
//	}
//
// [Seal] and [Reveal] do it for one value; in SQL it is reveal(payload->'$.email').
//
// Sealing the same value again gives other bytes. Seal once for an append and all its retries: an
// event id that is stored already with another payload is an error, not a retry.
//
// A subject's name is not secret. It stands in events, keyrings and errors, and remains when the
// key is destroyed: use numbers that mean nothing elsewhere, never an address or a name. The length
// of a sealed value remains as well, and everything that was not sealed.
//
// # What does the seal hold together?
//
// The cipher is AES-256-GCM with a random nonce, under one key for each subject and revision. What
// is authenticated besides the value is its place: stream, type of event, path in the JSON, subject
// and revision, each with its length in front, so that no two places look alike. Who can write
// events and moves a sealed value into another stream, another type of event or another field, or
// gives it another subject, makes something that does not open: [ErrNotAuthentic]. Unmarshal
// compares the subject with the field that names it, too.
//
// Who can write events can repeat a sealed value in the same place of another event of the same
// stream and type, and, in SQL, pass it off there as somebody else's unless the query compares
// payload->>'$.email."$sealed".s' with what the event says. He can also leave values unsealed: what
// is not sealed is given as it is. Whoever has the key of a subject can make values of it.
//
// The path is not stored beside the ciphertext. A reader that took it from there would believe
// whoever has put it there, and the value could stand in any field of the event. Therefore
// reveal(x) is an error where x is not a column and a path that is known when the statement is
// compiled; reveal(x, stream, type, path) says where the value was sealed.
//
// # What does destroying a key reach?
//
// A [Keyring] keeps the keys of subjects, each wrapped by an epoch key, which is kept elsewhere:
// see [EpochKeys]. Erase writes a fence, after which the key is not given out any more, wraps the
// keys of all other subjects anew under the key of a new epoch, and destroys the old epoch key. So
// it does not matter what a disk, a database or a backup still holds of the old keyring: the key
// that opens it is gone. The promise is as good as that destruction: [EpochFiles] says what it is
// worth there.
//
// A backup of a keyring is worthless after the next Erase. Make another one then: if the keyring is
// lost, every subject is forgotten. Never back up epoch keys and keyring to one place.
//
// A fence holds subject, revision, time, reason and the fingerprint of the destroyed key; nothing
// personal belongs into the reason. It tells [ErrForgotten] from [ErrNoKey], "destroyed" from "there
// never was one", and is in the keyring for as long as that is: a backup from before it cannot be
// opened. Sealing a value for a subject that is forgotten fails, so that no process that has not
// heard of it collects data anew; Allow begins the next revision if that is meant. What the old key
// has sealed stays gone.
//
// A keyring knows no store. In SQL, FORGET SUBJECT erases a key and appends an event to the store
// that tells of it, without the subject's name; after Erase in Go, run it as well to have that.
//
// # Where is it from?
//
// Fences, the two steps of an erasure and the loud failure afterwards are Chronicle's (Cratis,
// "erasure fence", AllowNewEncryptionKeyFor). Sealed values inside of a payload, rather than a
// payload that is sealed whole, are those of sliceworkz' event store (its issue 127), and subjects
// named by annotations of the fields are Axon Framework's (@DataSubjectId, @PersonalData). That old
// backups of the keys must die too, and so the epochs, is added here.
package shred
