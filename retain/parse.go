package retain

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A PolicyError says what is wrong with the text of a policy, and where.
type PolicyError struct {
	Line   int    // from 1
	Rule   string // "" if it is no rule's, or the rule has no name yet
	Reason string
}

// Error implements error.
func (e *PolicyError) Error() string {
	if e.Rule == "" {
		return fmt.Sprintf("retain: line %d: %s", e.Line, e.Reason)
	}
	return fmt.Sprintf("retain: line %d: rule %s: %s", e.Line, strconv.Quote(e.Rule), e.Reason)
}

// MaxReason is the length of the longest reason, in bytes.
const MaxReason = 1024

// Parse reads a policy. An error is a *PolicyError.
func Parse(text []byte) (*Policy, error) {
	r := newReader(text)
	p := &Policy{}
	err := r.object(func(key string) error {
		if key != "rules" {
			return r.fault("unknown key %q; a policy has rules", key)
		}
		return r.array(func() error { return r.readRule(p) })
	})
	if err == nil {
		err = r.end()
	}
	if err == nil && len(p.Rules) == 0 {
		err = r.fault("a policy without rules")
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// keys read the values of a rule's keys.
var keys = map[string]func(r *reader, rule *Rule) error{
	"name":       (*reader).readName,
	"types":      func(r *reader, rule *Rule) error { return r.texts(&rule.Types) },
	"categories": func(r *reader, rule *Rule) error { return r.texts(&rule.Categories) },
	"streams":    func(r *reader, rule *Rule) error { return r.someText(&rule.Streams) },
	"older_than": (*reader).readAge,
	"keep_last":  (*reader).readKeepLast,
	"erase":      (*reader).readErase,
	"reason":     (*reader).readReason,
}

// readRule reads a rule and appends it.
func (r *reader) readRule(p *Policy) error {
	r.step()
	rule := Rule{Line: r.line(r.at)}
	defer func() { r.rule = "" }()
	err := r.object(func(key string) error {
		read := keys[key]
		if read == nil {
			return r.fault("unknown key %q; a rule has %s", key,
				strings.Join(slices.Sorted(maps.Keys(keys)), ", "))
		}
		return read(r, &rule)
	})
	if err != nil {
		return err
	}
	if missing := rule.missing(); missing != "" {
		return &PolicyError{Line: rule.Line, Rule: rule.Name, Reason: "there is no " + missing}
	}
	if slices.ContainsFunc(p.Rules, func(other Rule) bool { return other.Name == rule.Name }) {
		return &PolicyError{Line: rule.Line, Rule: rule.Name, Reason: "the name is given twice"}
	}
	p.Rules = append(p.Rules, rule)
	return nil
}

// missing names what a rule must have and has not.
func (rule *Rule) missing() string {
	switch {
	case rule.Name == "":
		return "name"
	case rule.Erase == "":
		return `erase; write "erase": "content"`
	case rule.Reason == "":
		return "reason"
	case rule.OlderThan == Age{} && rule.KeepLast == 0:
		return "older_than and no keep_last: the rule would erase everything"
	}
	return ""
}

func (r *reader) readName(rule *Rule) error {
	err := r.someText(&rule.Name)
	r.rule = rule.Name
	return err
}

func (r *reader) readAge(rule *Rule) error {
	var text string
	if err := r.someText(&text); err != nil {
		return err
	}
	var err error
	if rule.OlderThan, err = ParseAge(text); err != nil {
		return r.fault("older_than %v", err)
	}
	return nil
}

func (r *reader) readKeepLast(rule *Rule) error {
	if err := r.value(&rule.KeepLast); err != nil {
		return err
	}
	if rule.KeepLast < 1 {
		return r.fault("keep_last must be 1 or more")
	}
	return nil
}

func (r *reader) readErase(rule *Rule) error {
	if err := r.value(&rule.Erase); err != nil {
		return err
	}
	if rule.Erase != "content" {
		return r.fault(`erase must be "content", payload and metadata`)
	}
	return nil
}

func (r *reader) readReason(rule *Rule) error {
	if err := r.someText(&rule.Reason); err != nil {
		return err
	}
	if len(rule.Reason) > MaxReason {
		return r.fault("reason has more than %d bytes", MaxReason)
	}
	return nil
}
