//go:build !saboteur

package sabotage

// On reports whether a rule is to be broken. It is false at compile time in a build without the tag
// saboteur, and leaves nothing behind.
func On(Rule) bool { return false }
