package engine

// A VerifyReport tells what Verify has checked.
type VerifyReport struct {
	Head     Head // of the log when Verify began
	Segments int
	Frames   int64
	Events   int64
	Bytes    int64 // of frames
	Indexes  int   // index files that were compared with the events
	// BadIndexes are damaged files that are derived from the log: index files, and MANIFEST, which
	// lists the segments. No event is harmed, and each is made anew: an index file in the
	// background if this process writes the store, MANIFEST when a segment is added or recovered.
	BadIndexes []string
}

// A BackupReport tells what Backup has done.
type BackupReport struct {
	Head     Head // of the backup: it holds everything before
	Segments int
	Copied   int64 // bytes
	Linked   int64 // bytes of files that the store, or the earlier backup, and this backup share
	Earlier  Head  // of the backup that was there before
}
