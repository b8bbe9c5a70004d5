package drivertest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// try makes one check on the toy with a saboteur in it, and returns what the check says.
func try(t *testing.T, check, broken string) []string {
	end := make(chan struct{})
	defer close(end)
	o := toyOptions(t, broken, end)
	if hangs[broken] {
		o.Patience = 200 * time.Millisecond
	}
	return Says(t, check, o)
}

// saboteurs break one rule each, which one check has to notice.
var saboteurs = []struct{ check, broken, says string }{
	{"WhatIsInsertedIsReadBack", "cuts bytes at a zero", "comes back as"},
	{"WhatIsInsertedIsReadBack", "NULL becomes nothing", "comes back as"},
	{"ValuesHaveTheirTypes", "gives an int", "which no driver may give"},
	{"ScanTypesHoldTheirColumn", "scans NULL into a string", "does not go into its own ScanType"},
	{"ScanTypesHoldTheirColumn", "names types in small letters", "not in capitals"},
	{"ColumnsHaveNamesWithoutRows", "has no columns without rows", "not key and value"},

	{"ArgumentsAreTheCallersAgain", "keeps the caller's bytes", "changed after Exec"},
	{"ArgumentsAreCounted", "does not count arguments", "takes 3 arguments for two"},
	{"NamesDecideNotPlaces", "takes names for places", "with named arguments the rows are"},
	{"UnknownNamesAreRefused", "does not know its names", "InsertNamed takes"},
	{"PointersAndValuersAreWhatTheyStandFor", "takes arguments of any type", "comes back as"},

	{"APreparedStatementRunsAgain", "remembers its first arguments", "prepared"},
	{"AWrongStatementIsAnError", "takes what is no statement", "takes"},
	{"AWrongStatementIsAnError", "a wrong statement is a bad connection", "driver.ErrBadConn"},
	{"AResultIsAPlainValue", "a result asks its connection", "RowsAffected of one row is 0"},

	{"RowsEndWithoutAnError", "wraps io.EOF", "ends with the error"},
	{"RowsClosedEarlyLeaveNothingBehind", "goes on with rows that were closed early", "Count"},
	{"RowsClosedEarlyLeaveNothingBehind", "cannot close rows before their end", "closing rows"},
	{"ResultsAreReadSideBySide", "all results have one cursor", "beside another"},

	{"CommitShowsItAllAndNothingBefore", "transactions write at once", "beside a transaction the rows are"},
	{"RollbackLeavesNothing", "rolling back commits", "after Rollback the rows are"},
	{"UnknownIsolationLevelsAreRefused", "takes any isolation level", "that there is not"},
	{"ReadOnlyTransactionsWriteNothing", "writes in read-only transactions", "takes an insert and commits"},
	{"ATransactionEndsWithItsContext", "rolls back under the context that has ended", ""},
	{"AFailedStatementLeavesATransactionThatEnds", "cannot roll back after an error", "Rollback after"},

	{"UnderAnEndedContextNothingIsDone", "looks at no context before it begins", "not the context's error"},
	{"AWaitingQueryEndsWithItsContext", "waits without looking at the context", "has not returned"},
	{"ACancelledQueryHarmsNobody", "a cancelled query stops its connection for ever", "after a query that was cancelled"},
	{"ACancelledInsertIsStoredOnceOrNot", "a bad connection after the work", "it is stored 3 times"},
	{"WaitingForATransactionEndsWithTheContext", "waits for a lock without looking at the context", "has not returned"},
	{"RawBytesOutliveTheContext", "uses bytes again when the context ends", "have become"},

	{"APingAnswers", "the second ping fails", "Ping"},
	{"AllConnectionsAreOnOneDatabase", "a database for each connection", "on each connection the rows are"},
	{"ABadConnectionIsReplaced", "a database for each connection", "after bad connections the rows are"},
	{"TheNextUserGetsACleanConnection", "keeps what the last user left", "who left a transaction open"},

	{"ClosingTwiceIsNothing", "closes once only", "closing the connection twice"},
	{"ClosingTwiceIsNothing", "closes statements once only", "closing the statement twice"},
	{"ClosingTwiceIsNothing", "closes rows once only", "closing the rows twice"},
	{"AStatementMayOutliveItsConnection", "panics when a statement is closed late", "panics"},
	{"RowsMayOutliveTheDatabase", "panics when rows are closed late", "panics"},
	{"ATransactionMayOutliveTheDatabase", "panics when a transaction ends late", "panics"},
	{"ClosingWaitsForNoQuery", "closing waits for queries", "has not returned"},
	{"ClosingLeavesNoGoroutine", "a goroutine for each connection", "goroutines are left"},

	{"ManyGoroutinesLoseNothing", "loses every seventh row", ""},
	{"TransactionsAreWholeOrNotThere", "commits row by row", "of 3 rows of the transaction"},
}

// hangs are the saboteurs that are caught by waiting for them.
var hangs = map[string]bool{
	"waits without looking at the context":            true,
	"waits for a lock without looking at the context": true,
	"closing waits for queries":                       true,
	"a goroutine for each connection":                 true,
	"rolls back under the context that has ended":     true,
}

// TestADriverThatIsRightPassesEveryCheck runs the suite on the toy as it is.
func TestADriverThatIsRightPassesEveryCheck(t *testing.T) {
	end := make(chan struct{})
	defer close(end)
	o := toyOptions(t, "", end)
	Run(t, o)
}

// TestEverySaboteurIsCaught holds that each check notices what it is there for.
func TestEverySaboteurIsCaught(t *testing.T) {
	for _, s := range saboteurs {
		t.Run(s.check+"/"+s.broken, func(t *testing.T) {
			said := strings.Join(try(t, s.check, s.broken), "\n")
			require.NotEmpty(t, said, "the check does not notice it")
			assert.Contains(t, said, s.says)
		})
	}
}

// TestEveryCheckHasASaboteur: a check that nobody has seen fail may be one that cannot.
func TestEveryCheckHasASaboteur(t *testing.T) {
	var caught []string
	for _, s := range saboteurs {
		caught = append(caught, s.check)
	}
	for _, c := range Checks() {
		assert.True(t, slices.Contains(caught, c.Name), "nothing breaks %s", c.Name)
		assert.NotEmpty(t, c.Rule, c.Name)
	}
}

// TestOptionsThatCannotBeMeantAreRefused: a slip in Options is told before any check.
func TestOptionsThatCannotBeMeantAreRefused(t *testing.T) {
	end := make(chan struct{})
	defer close(end)
	whole := toyOptions(t, "", end)
	for name, change := range map[string]func(o *Options){
		"Options needs":             func(o *Options) { o.Count = "" },
		"which is no check":         func(o *Options) { o.Except = map[string]string{"APingAnswer": "a slip"} },
		"there is no check Nothing": nil,
		"skipped: ":                 func(o *Options) { o.Endless = "" },
	} {
		o, check := whole, "ClosingWaitsForNoQuery"
		if change == nil {
			check = "Nothing"
		} else {
			change(&o)
		}
		assert.Contains(t, strings.Join(Says(t, check, o), "\n"), name)
	}
}
