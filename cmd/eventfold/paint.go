package main

// A style is what a terminal is told before a text.
type style string

// The styles.
const (
	bold    style = "1"
	faint   style = "2"
	red     style = "31"
	green   style = "32"
	yellow  style = "33"
	blue    style = "34"
	magenta style = "35"
	cyan    style = "36"
)

// paint gives a text a style, if results may have colours.
func (c *console) paint(s style, text string) string {
	if !c.colour || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// hues are the styles that tell names from each other.
var hues = []style{cyan, green, yellow, blue, magenta}

// hue returns the style of a name, always the same.
func hue(name string) style {
	sum := uint32(2166136261)
	for i := range len(name) {
		sum = (sum ^ uint32(name[i])) * 16777619
	}
	return hues[sum%uint32(len(hues))]
}
