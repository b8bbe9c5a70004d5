// Package docs holds the documentation; its tests run every SQL sample in it, in the README and in
// the examples, compare its Go code with code that is compiled, and its errors with those that a
// test provokes.
package docs
