// Package parser turns the text of one statement into a tree of its own. See GRAMMAR.md.
package parser

import "errors"

// Parse reads one statement. A failure is a *SyntaxError.
func Parse(text string) (*Parsed, error) { return nil, errors.New("not written yet") }
