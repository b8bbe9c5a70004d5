package main

import (
	"math"
	"strings"

	"github.com/go-analyze/charts"
	"github.com/urfave/cli/v3"
)

// drawPicture draws with characters.
func drawPicture(c *cli.Command, p *picture) error {
	console := consoleOf(c)
	width, _ := console.size()
	if p.width > 0 {
		width = p.width
	}
	var b strings.Builder
	b.WriteString(console.paint(bold, safe(p.title)) + "\n")
	if p.line {
		b.WriteString(drawLine(console, p.bars, width, p.height))
	} else {
		b.WriteString(drawBars(console, p.bars, width))
	}
	_, err := console.out.Write([]byte(b.String()))
	return err
}

// usualWidth is how wide a drawing is where no terminal says it.
const usualWidth = 80

// eighths are the parts of a bar that is not a whole number of characters long, or high.
var (
	eighths = []rune(" ▏▎▍▌▋▊▉█")
	rising  = []rune(" ▁▂▃▄▅▆▇█")
)

// drawBars draws a bar on a line for each name, with its number.
func drawBars(c *console, list []bar, width int) string {
	if width == 0 {
		width = usualWidth
	}
	names, numbers, most := 0, 0, 0.0
	for _, x := range list {
		names = max(names, widthOf(safe(x.name)))
		numbers = max(numbers, len(numberText(x.value)))
		most = max(most, x.value)
	}
	names = min(names, width/3)
	room := max(width-names-numbers-4, 10)
	var b strings.Builder
	for _, x := range list {
		name := shorten(safe(x.name), names)
		number := numberText(x.value)
		b.WriteString(name + pad(widthOf(name), names) + "  " + pad(len(number), numbers) + number)
		if drawn := barText(x.value, most, room); drawn != "" {
			b.WriteString("  " + c.paint(cyan, drawn))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// barText is a bar for a part of the most, which takes all the room.
func barText(value, most float64, room int) string {
	if value <= 0 || most <= 0 || math.IsInf(most, 0) || math.IsNaN(value) {
		return ""
	}
	parts := max(int(math.Round(value/most*float64(room*8))), 1)
	drawn := strings.Repeat("█", parts/8)
	if parts%8 > 0 {
		drawn += string(eighths[parts%8])
	}
	return drawn
}

// numberText is a number for people.
func numberText(f float64) string {
	if f == math.Trunc(f) && math.Abs(f) < 1e15 {
		return grouped(int64(f))
	}
	return realText(f)
}

// drawLine draws columns side by side, as high as the numbers are, with the first and the last name
// below them. Where there are more than fit, several are one column, of their sum.
func drawLine(c *console, list []bar, width, height int) string {
	if width == 0 {
		width = usualWidth
	}
	if height == 0 {
		height = 12
	}
	values := make([]float64, len(list))
	for i, x := range list {
		values[i] = max(x.value, 0)
	}
	scale := 0
	for room := 1; ; room = max(width-scale-3, 10) {
		together := (len(list) + room - 1) / room
		if scale > 0 {
			values = summed(values, together)
			break
		}
		scale = len(numberText(greatest(summed(values, (len(list)+width-1)/width))))
	}
	most := greatest(values)
	var b strings.Builder
	for line := height - 1; line >= 0; line-- {
		label := ""
		switch line {
		case height - 1:
			label = numberText(most)
		case 0:
			label = "0"
		}
		var drawn strings.Builder
		for _, v := range values {
			drawn.WriteRune(rising[levelAt(v, most, height, line)])
		}
		b.WriteString(pad(len(label), scale) + label + " │" + c.paint(cyan, strings.TrimRight(drawn.String(), " ")) + "\n")
	}
	first, last := axisTime(list[0].name), axisTime(list[len(list)-1].name)
	b.WriteString(pad(0, scale+2) + first)
	if len(list) > 1 {
		b.WriteString(pad(len(first)+len(last), max(len(values), len(first)+len(last)+2)) + last)
	}
	return b.String() + "\n"
}

// levelAt is how many eighths of a line a column takes.
func levelAt(value, most float64, height, line int) int {
	if most <= 0 {
		return 0
	}
	parts := int(math.Round(value / most * float64(height*8)))
	if value > 0 {
		parts = max(parts, 1)
	}
	return min(max(parts-line*8, 0), 8)
}

// summed takes so many values together.
func summed(values []float64, together int) []float64 {
	var list []float64
	for i, v := range values {
		if i%max(together, 1) == 0 {
			list = append(list, 0)
		}
		list[len(list)-1] += v
	}
	return list
}

func greatest(values []float64) (most float64) {
	for _, v := range values {
		most = max(most, v)
	}
	return most
}

// axisTime leaves out of a time what is zero.
func axisTime(text string) string {
	return strings.TrimSuffix(strings.TrimSuffix(safe(text), "T00:00:00Z"), ":00Z")
}

// render draws as SVG or PNG.
func (p *picture) render(svg bool) ([]byte, error) {
	format := charts.ChartOutputPNG
	if svg {
		format = charts.ChartOutputSVG
	}
	width, height := p.width, p.height
	if width == 0 {
		width = 900
	}
	if height == 0 {
		height = 450
	}
	painter := charts.NewPainter(charts.PainterOptions{OutputFormat: format, Width: width, Height: height})
	names, values := make([]string, len(p.bars)), make([]float64, len(p.bars))
	for i, b := range p.bars {
		names[i], values[i] = axisTime(b.name), b.value
	}
	var err error
	if p.line {
		opt := charts.NewLineChartOptionWithData([][]float64{values})
		opt.Title.Text, opt.XAxis.Labels = safe(p.title), names
		opt.Symbol = charts.Symbol{Shape: charts.SymbolNone}
		err = painter.LineChart(opt)
	} else {
		opt := charts.NewBarChartOptionWithData([][]float64{values})
		opt.Title.Text, opt.CategoryAxis.Labels = safe(p.title), names
		err = painter.BarChart(opt)
	}
	if err != nil {
		return nil, err
	}
	return painter.Bytes()
}
