package eventfold

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
)

const (
	// maxTries is how often Retry tries: a decision that loses so often has no chance, or does not
	// read what it expects.
	maxTries = 100
	// firstPause and longestPause bound how long Retry waits between two of them.
	firstPause   = time.Millisecond
	longestPause = 250 * time.Millisecond
)

// IsConflict reports whether err is that of an append which was refused because the store is not as
// it was expected to be: a version, or an event that a condition excludes. Nothing was appended then.
// Reading and deciding again may help, which [Error.Retryable] tells and [Retry] does.
func IsConflict(err error) bool {
	var conflict *ConflictError
	return errors.Is(err, ErrVersionConflict) || errors.Is(err, ErrConditionFailed) || errors.As(err, &conflict)
}

// Retry runs a decision: try reads, decides and appends, and is called again while it returns a
// conflict that reading again may resolve. Between two tries it waits for a time that grows and is
// random. Any other error is returned as it is, and so is the conflict after 100 tries. When ctx
// ends between two tries, the error is both its own and the conflict.
//
// The events that try appends with the context it is given have the same ids every time, so that a
// try whose outcome was not known appends nothing twice; they are made once, of the key of
// [WithRequest] if there is one. An [ErrOutcomeUnknown] is returned: whether the decision was made
// only its ids tell, which are the same when Retry is called again under WithRequest. In try everything
// must be read anew: a transaction must begin inside of it.
func Retry(ctx context.Context, try func(ctx context.Context) error) error {
	outer := requestOf(ctx)
	if outer == nil {
		outer = &request{key: uuid.NewString(), random: true}
	}
	call := outer.count()
	for tries := 1; ; tries++ {
		r := &request{key: outer.key, random: outer.random, calls: call}
		err := try(context.WithValue(ctx, requestKey{}, r))
		if !resolvable(err) {
			outer.over(call, r.count(), err)
			return err
		}
		if tries == maxTries {
			return fmt.Errorf("eventfold: given up after %d tries: %w", tries, err)
		}
		if ended := sleep(ctx, pause(tries)); ended != nil {
			return fmt.Errorf("%w, and before that: %w", ended, err)
		}
	}
}

// resolvable reports whether err is a conflict that reading again may resolve.
func resolvable(err error) bool {
	var e *Error
	if errors.As(err, &e) {
		return IsConflict(err) && e.Retryable()
	}
	return IsConflict(err) && !hopeless(err)
}

// pause is how long to wait behind so many tries.
func pause(tries int) time.Duration {
	most := longestPause
	if tries < 8 {
		most = firstPause << tries
	}
	return rand.N(most)
}
