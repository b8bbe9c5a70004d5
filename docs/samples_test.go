package docs

import (
	"regexp"
	"testing"
)

// TestSamplesWithStoresOfTheirOwn runs the blocks of the reference whose language is sql and a name,
// but for those of erasing, which TestSamplesOfErasing runs.
func TestSamplesWithStoresOfTheirOwn(t *testing.T) { runNamed(t, "sql.md", "erasing") }

// TestSamplesOfTheGuide runs those without a name first, on one store.
func TestSamplesOfTheGuide(t *testing.T) {
	runPage(t, open(t), "guide.md", "sql")
	runNamed(t, "guide.md")
}

var namedBlock = regexp.MustCompile("(?m)^```sql ([a-z]+)$")

// runNamed runs the blocks of a page whose language is sql and a name: those of one name have a store
// together.
func runNamed(t *testing.T, page string, others ...string) {
	t.Helper()
	ran := map[string]bool{}
	for _, name := range others {
		ran[name] = true
	}
	for _, m := range namedBlock.FindAllStringSubmatch(read(t, page), -1) {
		if name := m[1]; !ran[name] {
			ran[name] = true
			t.Run(name, func(t *testing.T) { runPage(t, open(t), page, "sql "+name) })
		}
	}
}
