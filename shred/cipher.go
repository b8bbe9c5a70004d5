package shred

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
)

// encrypt returns nonce, ciphertext and tag of plain.
func encrypt(secret [keySize]byte, plain, bound []byte) []byte {
	return gcm(secret).Seal(nil, nil, plain, bound)
}

// decrypt returns what encrypt was given; ok is false if one of the arguments is another one.
func decrypt(secret [keySize]byte, sealed, bound []byte) (plain []byte, ok bool) {
	plain, err := gcm(secret).Open([]byte{}, nil, sealed, bound)
	return plain, err == nil
}

// gcm returns AES-256-GCM with random nonces. A key may encrypt 2^32 messages, which no subject
// has. It cannot fail with keys of this size.
func gcm(secret [keySize]byte) cipher.AEAD {
	block, err := aes.NewCipher(secret[:])
	if err != nil {
		panic(err)
	}
	g, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return g
}

// bind joins texts and a number so that different ones are never joined to the same bytes: each
// text has its length in front.
func bind(purpose string, number uint64, texts ...string) []byte {
	b := binary.BigEndian.AppendUint64([]byte(purpose), number)
	for _, text := range texts {
		b = binary.BigEndian.AppendUint64(b, uint64(len(text)))
		b = append(b, text...)
	}
	return b
}

// wrappedSize is the size of a wrapped key: nonce, key and tag.
const wrappedSize = 12 + keySize + 16
