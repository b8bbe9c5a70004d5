package filestore

// A sabotage is a rule of the store that a test can have broken, to see that the tests notice. Only a build with the tag
// saboteur can break one: the environment variable EVENTFOLD_SABOTEUR names it. In every other build sabotaged is false
// at compile time and leaves nothing behind.
type sabotage string

// The rules, by what breaks them.
const (
	noFdatasync         sabotage = "no-fdatasync"             // the log is not synced
	noDirFsync          sabotage = "no-dir-fsync"             // new names are not made durable
	headerAfterRename   sabotage = "header-after-rename"      // a segment gets its name before its header
	tailBeforeFdatasync sabotage = "tail-before-fdatasync"    // TAIL promises what is not synced yet
	ackBeforeFdatasync  sabotage = "ack-before-fdatasync"     // appends are answered before the sync
	publishBeforeFsync  sabotage = "publish-before-fdatasync" // readers see events before the sync
	skipPreviousCRC     sabotage = "skip-previous-crc"        // the link to the previous frame is not checked
	skipPlaceSeed       sabotage = "skip-place-seed"          // the header's checksum ignores the place
	noZeroingOfTornTail sabotage = "no-zeroing-of-torn-tail"  // recovery leaves the bytes of a torn tail where they are
	continueInPlace     sabotage = "continue-in-place"        // recovery trusts frames that nothing promises
	retryFsync          sabotage = "retry-fsync"              // a failed sync is tried again
	sealBeforeSuccessor sabotage = "seal-before-successor"    // a segment is sealed before its successor is durable
	indexWithoutCRC     sabotage = "idx-without-crc"          // the blocks of an index file are not checked
	lengthNotBounded    sabotage = "length-not-bounded"       // lengths on disk are believed
	undoForgotten       sabotage = "undo-forgotten"           // a frame that failed leaves its traces in memory
)
