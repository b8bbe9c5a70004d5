//go:build !saboteur

package filestore

func sabotaged(sabotage) bool { return false }
