package format

import (
	"encoding/binary"
	"fmt"

	"github.com/eventfold/eventfold/engine"
)

// Major and Minor are the version of the format that is written. Both stand at the same place in a
// segment's header and in MANIFEST, in every version to come.
const (
	Major = 1
	Minor = 0

	versionAt = 8 // u16 major, u16 minor
)

// A decoder reads the files of one major version. What it is given has the right magic and
// checksum.
type decoder struct {
	segment  func(b []byte) SegmentHeader // one copy of the header
	manifest func(b []byte) (*Manifest, error)
}

// decoders has the versions that can be read, by their major number. A new version gets a line, and
// the old one keeps its own.
var decoders = map[uint16]decoder{
	1: {segment: decodeSegment1, manifest: decodeManifest1},
}

// putVersion writes the version to the beginning of a file.
func putVersion(b []byte) {
	binary.LittleEndian.PutUint16(b[versionAt:], Major)
	binary.LittleEndian.PutUint16(b[versionAt+2:], Minor)
}

// decoderOf returns the decoder for the beginning of a file. The error is a *FormatError.
func decoderOf(b []byte, file string) (decoder, error) {
	major, minor := binary.LittleEndian.Uint16(b[versionAt:]), binary.LittleEndian.Uint16(b[versionAt+2:])
	d, known := decoders[major]
	if !known {
		return d, &engine.FormatError{File: file, Reason: fmt.Sprintf(
			"has format %d.%d, this version of eventfold knows %d.%d", major, minor, Major, Minor)}
	}
	return d, nil
}
