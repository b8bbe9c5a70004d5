package shred

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// pepper is the subject whose key blinds. It is never erased.
const pepper = reserved + "pepper"

// Blind returns 32 hexadecimal digits that are the same for the same value and tell nobody who does
// not have the keyring what the value is: 16 bytes of an HMAC-SHA-256 under a key of the keyring,
// its pepper, which is made if create is set and there is none. Stored as a tag, it finds the events
// of a value that is sealed:
//
//	SELECT ... WHERE HAS(tags, 'email:' || blind('ada@example.com'))
//
// It links all events that have it, also after the subject is forgotten, and who has the keyring
// can try values. Where that matters, do not store it, or erase the events too. Bring the value
// into one form before, such as lower case.
func Blind(ctx context.Context, keys Keyring, value string, create bool) (string, error) {
	key, err := keys.Key(ctx, pepper, create)
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, key.Secret[:])
	mac.Write([]byte("EVFBLIND1" + value))
	return hex.EncodeToString(mac.Sum(nil)[:16]), nil
}
