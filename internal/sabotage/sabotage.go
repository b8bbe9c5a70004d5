// Package sabotage lets a test have a rule of the embedded store or of its transactions broken, to
// see that the other tests notice. Only a build with the tag saboteur can break one: the environment variable
// EVENTFOLD_SABOTEUR names it.
package sabotage

// A Rule is what the store keeps to.
type Rule string

// The rules, by what breaks them.
const (
	NoFdatasync         Rule = "no-fdatasync"             // the log is not synced
	NoDirFsync          Rule = "no-dir-fsync"             // new names are not made durable
	HeaderAfterRename   Rule = "header-after-rename"      // a segment gets its name before its header
	TailBeforeFdatasync Rule = "tail-before-fdatasync"    // TAIL promises what is not synced yet
	AckBeforeFdatasync  Rule = "ack-before-fdatasync"     // appends are answered before the sync
	PublishBeforeFsync  Rule = "publish-before-fdatasync" // readers see events before the sync
	SkipPreviousCRC     Rule = "skip-previous-crc"        // the link to the previous frame is not checked
	SkipPlaceSeed       Rule = "skip-place-seed"          // the header's checksum ignores the place
	NoZeroingOfTornTail Rule = "no-zeroing-of-torn-tail"  // recovery leaves the bytes of a torn tail where they are
	ContinueInPlace     Rule = "continue-in-place"        // recovery trusts frames that nothing promises
	RetryFsync          Rule = "retry-fsync"              // a failed sync is tried again
	SealBeforeSuccessor Rule = "seal-before-successor"    // a segment is sealed before its successor is durable
	IndexWithoutCRC     Rule = "idx-without-crc"          // the blocks of an index file are not checked
	LengthNotBounded    Rule = "length-not-bounded"       // lengths on disk are believed
	UndoForgotten       Rule = "undo-forgotten"           // a frame that failed leaves its traces in memory

	EraseKeepsOldGeneration Rule = "erase-keeps-old-generation" // the file that was written anew is not removed
	EraseForgetsTorn        Rule = "erase-forgets-torn"         // files with what recovery has cut off are not removed
	EraseForgetsDerived     Rule = "erase-forgets-derived"      // files that are derived from it are not removed
	EraseDoneTooEarly       Rule = "erase-done-too-early"       // an erasure is done before its files are

	SerialScan        Rule = "serial-scan"        // scans of event tables and counts by bounds are not noted
	SerialIndex       Rule = "serial-index"       // what is asked of indexes otherwise is not noted
	SerialExpectation Rule = "serial-expectation" // expectations that have failed or were rolled back are not noted
	SerialErasure     Rule = "serial-erasure"     // content that was read is not noted

	ViewBatchTwice Rule = "view-batch-twice" // events are kept twice in the groups of a materialized view
	ViewStale      Rule = "view-stale"       // groups that were made of what is erased are trusted
	ViewAhead      Rule = "view-ahead"       // groups of events behind the snapshot are used
)
