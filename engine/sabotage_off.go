//go:build !saboteur

package engine

func sabotaged(sabotage) bool { return false }
