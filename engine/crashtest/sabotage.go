package crashtest

import "github.com/eventfold/eventfold/internal/sabotage"

// Rules about what the store asks of the disk are broken here, between the store and the disk, and
// not in the store.

// sabotageSync makes the content of a file durable by sync, if the rules about that are kept.
func sabotageSync(sync func() error) error {
	if sabotage.On(sabotage.NoFdatasync) {
		return nil
	}
	err := sync()
	if err != nil && sabotage.On(sabotage.RetryFsync) {
		err = sync()
	}
	return err
}
