package shred

import "context"

// EpochKeys keep the keys that keyrings are wrapped with, one for each epoch, outside of the keyring
// and its backups. An erasure ends an epoch: everything that is still needed is wrapped anew, and
// the old epoch's key is destroyed, and with it every copy of the keyring that was made before.
//
// Implement it over a KMS or a vault whose secrets can be destroyed; [EpochFiles] keeps them in
// files. There is none that makes keys of a passphrase alone: who has the passphrase and an old
// backup would make the old key again, so that nothing could ever be destroyed. A passphrase is a
// second lock on EpochFiles.
//
// An erasure is worth what Destroy is worth. While the service keeps a deleted secret for a
// waiting period, old backups of the keyring can be opened until that is over.
type EpochKeys interface {
	// Make returns the key of an epoch, which it makes first if there is none. It is durable when
	// Make returns. Calls with the same name may come at the same time, also from several processes.
	Make(ctx context.Context, epoch string) ([32]byte, error)
	// Get returns the key of an epoch, and an error that matches ErrNoEpoch if there is none.
	Get(ctx context.Context, epoch string) ([32]byte, error)
	// Destroy destroys the key of an epoch for good. It does nothing if there is none.
	Destroy(ctx context.Context, epoch string) error
}
