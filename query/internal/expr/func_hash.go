package expr

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"hash"

	"github.com/eventfold/eventfold/query/internal/value"
)

var hashFunctions = []function{
	{name: "md5", min: 1, max: 1, typ: value.Text, f1: hashFunc(md5.New)},
	{name: "sha256", min: 1, max: 1, typ: value.Text, f1: hashFunc(sha256.New)},
}

// hashFunc is a hash of the bytes of a text or a blob, in small hexadecimal digits.
func hashFunc(newHash func() hash.Hash) func(e *Env, v value.Value) value.Value {
	return func(e *Env, v value.Value) value.Value {
		h := newHash()
		for s := v.Text(); s != ""; {
			n := min(len(s), value.EffortStep)
			if !e.Effort(n) {
				return null
			}
			h.Write(value.BytesOf(s[:n]))
			s = s[n:]
		}
		return value.OfText(hex.EncodeToString(h.Sum(nil)))
	}
}
