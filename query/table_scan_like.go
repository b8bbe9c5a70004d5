package query

import (
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

const (
	likeLetters = 4    // letters at the beginning of a pattern whose cases are tried
	likeStreams = 1000 // streams that are looked at before the list is given up
)

// listStreams replaces stream LIKE 'order-%' and category = 'order' by the streams that match, where
// they are few: then their indexes lead to the events. It must not be used for what sees events that
// come later, since they may begin new streams.
func (s *tableScan) listStreams(ex *execution, what *narrowing) error {
	if what.like == "" && what.categories == nil || what.empty || what.streams != nil || len(ex.own) > 0 {
		return nil
	}
	if t := s.events(); t == nil || !t.all {
		return nil
	}
	found, left := []string{}, likeStreams
	complete, err := false, error(nil)
	if what.categories != nil {
		complete, err = inCategories(ex, what.categories, &found, &left)
	}
	if !complete && err == nil && what.like != "" {
		found, left = []string{}, likeStreams
		complete, err = likeStreamNames(ex, what.like, &found, &left)
	}
	if err != nil || !complete {
		return err
	}
	what.streams, what.prefix = found, ""
	what.empty = len(found) == 0
	return nil
}

// likeStreamNames appends the streams that a LIKE pattern matches to found. complete is false if
// there are too many to look at.
func likeStreamNames(ex *execution, like string, found *[]string, left *int) (complete bool, err error) {
	if len(like) > value.MaxPattern {
		return false, nil // the condition itself refuses it
	}
	pattern := value.CompileLike(like, -1)
	en := expr.NewEnv(expr.Env{Ctx: ex.ctx})
	match := func(name string) bool { return pattern.Match(&en.Meter, name) }
	for _, prefix := range caseVariants(likePrefix(like)) {
		if complete, err := matching(ex, prefix, match, found, left); err != nil || !complete {
			return false, err
		}
	}
	return true, nil
}

// matching appends the streams that begin with prefix and match. complete is false if there are too
// many to look at.
func matching(
	ex *execution, prefix string, match func(name string) bool, found *[]string, left *int,
) (complete bool, err error) {
	c := quiet(ex.index).Streams(ex.ctx, prefix) // the scan has seen what passes its conditions
	defer func() {
		if cerr := c.Close(); err == nil {
			err = cerr
		}
	}()
	for c.Next() {
		if *left--; *left < 0 {
			return false, nil
		}
		if name := c.Stream().Stream; match(name) {
			*found = append(*found, name)
		}
	}
	return true, c.Err()
}

// likePrefix is the beginning of a LIKE pattern, up to its first wildcard, with at most so many
// letters as all their cases are tried of.
func likePrefix(pattern string) string {
	letters := 0
	for i := 0; i < len(pattern); i++ {
		if isLetter(pattern[i]) {
			letters++
		}
		if pattern[i] == '%' || pattern[i] == '_' || letters > likeLetters {
			return pattern[:i]
		}
	}
	return pattern
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// caseVariants lists every text that LIKE takes for the same, in no order.
func caseVariants(s string) []string {
	list := []string{""}
	for i := 0; i < len(s); i++ {
		n := len(list)
		if isLetter(s[i]) {
			for _, v := range list[:n] {
				list = append(list, v+string([]byte{s[i] ^ ('a' - 'A')}))
			}
		}
		for k := range list[:n] {
			list[k] += s[i : i+1]
		}
	}
	return list
}
