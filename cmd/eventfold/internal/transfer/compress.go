package transfer

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"

	"github.com/klauspost/compress/zstd"
)

// A Compression is how a text is compressed.
type Compression int

// The compressions.
const (
	NoCompression Compression = iota
	Gzip
	Zstd
)

// compressions are the extensions of file names, by Compression.
var compressions = []string{NoCompression: "", Gzip: ".gz", Zstd: ".zst"}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// compress returns a writer whose Close ends a piece: pieces that follow each other are a file.
func (c Compression) compress(w io.Writer) (io.WriteCloser, error) {
	switch c {
	case Gzip:
		return gzip.NewWriter(w), nil
	case Zstd:
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	}
	return nopCloser{w}, nil
}

var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

// maxWindow bounds the memory that a compressed file may ask for, bytes.
const maxWindow = 64 << 20

// decompress returns a reader of a text, whether and however it is compressed. It is to be closed.
func decompress(r io.Reader) (io.ReadCloser, error) {
	b := bufio.NewReaderSize(r, 1<<16)
	magic, _ := b.Peek(len(zstdMagic))
	switch {
	case bytes.HasPrefix(magic, gzipMagic):
		return gzip.NewReader(b)
	case bytes.Equal(magic, zstdMagic):
		d, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
	return io.NopCloser(b), nil
}
