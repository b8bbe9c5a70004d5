// Package testenv reads the variables of the environment that tests obey: how long they run, with
// which seed, where they leave what they find. No production code imports it. CONTRIBUTING.md has
// the same table for people, and a test compares the two.
package testenv

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A Variable is one variable for whoever runs the tests.
type Variable struct {
	Name    string
	ReadBy  string // packages, or what else
	Meaning string
}

// Variables are all of them.
var Variables = []Variable{
	{"EVENTFOLD_SEED", "random tests of all packages",
		"the seed, as a failure prints it; `random` takes a new one, as the long variants do"},
	{"EVENTFOLD_TORTURE", "engine, integration, jetstream, query, root, shred",
		"share of the long variant that runs, 0 to 1; `-tags torture` is 1"},
	{"EVENTFOLD_REPORT", "engine/crashtest", "file to which figures are appended"},
	{"EVENTFOLD_DUMP", "engine/crashtest",
		"directory for the state of the disk in which a crash test failed"},
	{"EVENTFOLD_SABOTEUR", "builds with `-tags saboteur`", "the rule that is broken"},
	{"EVENTFOLD_OPEN_FILES", "engine/filestore", "how many files the tests' stores may keep open"},
	{"EVENTFOLD_EVENTS", "engine/filestore", "how many events the store of BenchmarkErase has"},
	{"EVENTFOLD_SLT", "query", "folder of foreign `.test` and `.slt` files"},
	{"EVENTFOLD_STATEMENTS", "integration", "how many random statements are compared with SQLite"},
	{"EVENTFOLD_JOINS", "integration", "how many random joins are compared with SQLite"},
	{"EVENTFOLD_EXPRESSIONS", "integration",
		"how many random expressions are compared with SQLite"},
	{"EVENTFOLD_REFERENCE", "integration/reference",
		"how many random statements are compared with DuckDB"},
	{"EVENTFOLD_LINEARIZABLE_ROUNDS", "integration", "how many histories are made and checked"},
	{"EVENTFOLD_HISTORIES", "integration", "how many histories of transactions are made and run again one by one"},
	{"EVENTFOLD_SECONDS", "integration", "how long readers in other processes run"},
	{"EVENTFOLD_IMAGES", "integration/powercut", "how many images of a disk are tried"},
	{"EVENTFOLD_FUZZTIME", ".ci/run", "how long each target is fuzzed"},
	{"EVENTFOLD_ONLY", "root", "a part of the names of the hostile statements to run"},
	{"EVENTFOLD_FROM", "root", "the name of the first hostile statement to run"},
}

// ChildPrefix begins the names of the variables by which a test tells its child process what to do.
// They are not for people.
const ChildPrefix = "EVENTFOLD_TEST_"

// Get returns the value of a variable, "" if it is not set. It panics if the name is neither in
// Variables nor one for a child process.
func Get(name string) string {
	known := func(v Variable) bool { return v.Name == name }
	if !strings.HasPrefix(name, ChildPrefix) && !slices.ContainsFunc(Variables, known) {
		panic(name + " is not in testenv.Variables")
	}
	return os.Getenv(name)
}

// Number returns the number that a variable holds, otherwise if it is not set.
func Number(t testing.TB, name string, otherwise int) int {
	t.Helper()
	text := Get(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// Torture returns the share of the long variants that runs: EVENTFOLD_TORTURE, or 1 with the build
// tag torture, or 0.
func Torture() float64 {
	text := Get("EVENTFOLD_TORTURE")
	switch {
	case text == "" && tortured:
		return 1
	case text == "":
		return 0
	}
	share, err := strconv.ParseFloat(text, 64)
	if err != nil {
		panic(fmt.Sprintf("EVENTFOLD_TORTURE: %v", err))
	}
	return share
}
