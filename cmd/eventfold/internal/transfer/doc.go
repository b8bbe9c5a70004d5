// Package transfer writes events to files and reads them again: lines of JSON in the shape of
// CloudEvents, CSV, Parquet and SQLite. What is written can be read back as it was, byte for byte:
// position, stream, version, id, type, payload, metadata, tags, time, and whether it was erased.
//
// A file gets its name when it is whole. Until then it stands beside it as NAME.part, with what is
// needed to go on after the process was killed.
package transfer
