// Package docs holds the documentation; its tests run every SQL sample in it, in the README and in
// the examples.
package docs
