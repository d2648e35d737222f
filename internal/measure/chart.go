// Charts, as SVG inside the page.

package measure

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// chart is some series over one axis.
type chart struct {
	title  string
	x, y   string // the labels of the axes, with the unit
	logX   bool
	logY   bool
	zeroY  bool // the y axis begins at 0
	series []series
	format func(float64) string // formats the ticks of the y axis
}

// series is a line or, if its points have a high value, a row of bars.
type series struct {
	name   string
	points []point
}

type point struct {
	x, y float64
	high float64 // 0 for none
}

// The size of a chart, in its own units; the page scales it. The text stays readable at half of
// that.
const (
	chartWidth, chartHeight = 400.0, 270.0
	left, right             = 60.0, 14.0
	top, bottom             = 16.0, 46.0
)

// axis maps values to positions.
type axis struct {
	low, high float64
	log       bool
	from, to  float64
}

func (a axis) at(v float64) float64 {
	low, high := a.low, a.high
	if a.log {
		low, high, v = math.Log10(low), math.Log10(high), math.Log10(v)
	}
	return a.from + (v-low)/(high-low)*(a.to-a.from)
}

// ticks returns the values with a tick.
func (a axis) ticks() (marked []float64) {
	if a.log {
		steps := []float64{1}
		if math.Log10(a.high/a.low) < 2.2 {
			steps = []float64{1, 2, 5}
		}
		for e := math.Floor(math.Log10(a.low)); e <= math.Ceil(math.Log10(a.high)); e++ {
			for _, s := range steps {
				if v := s * math.Pow(10, e); v >= a.low*0.999 && v <= a.high*1.001 {
					marked = append(marked, v)
				}
			}
		}
		return marked
	}
	step := math.Pow(10, math.Floor(math.Log10((a.high-a.low)/4)))
	for (a.high-a.low)/step > 5 {
		step *= 2
		if (a.high-a.low)/step > 5 {
			step *= 2.5
		}
	}
	for v := math.Ceil(a.low/step) * step; v <= a.high*1.0001; v += step {
		marked = append(marked, v)
	}
	return marked
}

// span returns axes for all values, with a margin.
func (c chart) axes() (x, y axis) {
	x = axis{low: math.Inf(1), high: math.Inf(-1), log: c.logX, from: left + 10,
		to: chartWidth - right - 10}
	y = axis{low: math.Inf(1), high: math.Inf(-1), log: c.logY, from: chartHeight - bottom, to: top}
	for _, s := range c.series {
		for _, p := range s.points {
			x.low, x.high = min(x.low, p.x), max(x.high, p.x)
			y.low, y.high = min(y.low, p.y), max(y.high, p.y, p.high)
		}
	}
	if x.low == x.high {
		x.low, x.high = x.low/2, x.high*2
	}
	switch {
	case c.logY:
		y.low, y.high = y.low/1.25, y.high*1.25
	case c.zeroY:
		y.low, y.high = 0, y.high*1.08
	default:
		air := (y.high - y.low) * 0.08
		y.low, y.high = y.low-air, y.high+air
	}
	if !(y.low < y.high) { // also if there are no values
		y.low, y.high = 0, max(1, 2*y.high)
		y.log = false
	}
	return x, y
}

// empty reports whether there is nothing to draw.
func (c chart) empty() bool {
	for _, s := range c.series {
		if len(s.points) > 0 {
			return false
		}
	}
	return true
}

// svg draws the chart with the classes of the page's style sheet. Each series has a colour, a mark
// and a dash of its own.
func (c chart) svg() string {
	var b strings.Builder
	x, y := c.axes()
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %g %g" role="img" xmlns="http://www.w3.org/2000/svg"><title>%s</title><desc>%s by %s. The table below has the figures.</desc>`,
		chartWidth, chartHeight, html.EscapeString(c.title), html.EscapeString(c.y),
		html.EscapeString(c.x))
	for _, v := range y.ticks() {
		at := y.at(v)
		fmt.Fprintf(&b,
			`<line class="grid" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/><text class="tick" `+
				`x="%.1f" y="%.1f" text-anchor="end">%s</text>`,
			left, chartWidth-right, at, at, left-7, at+5, html.EscapeString(c.format(v)))
	}
	for _, v := range c.marks(x) {
		at := x.at(v)
		fmt.Fprintf(&b,
			`<line class="grid faint" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/><text `+
				`class="tick" x="%.1f" y="%.1f" text-anchor="middle">%s</text>`,
			at, at, top, chartHeight-bottom, at, chartHeight-bottom+19, html.EscapeString(short(v)))
	}
	fmt.Fprintf(&b, `<line class="axis" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, left,
		chartWidth-right, chartHeight-bottom, chartHeight-bottom)
	fmt.Fprintf(&b, `<text class="label" x="%.1f" y="%.1f" text-anchor="middle">%s</text>`,
		(left+chartWidth-right)/2, chartHeight-6, html.EscapeString(c.x))
	for i, s := range c.series {
		drawSeries(&b, i, len(c.series), s, x, y)
	}
	b.WriteString("</svg>")
	return b.String()
}

// marks returns the ticks of the x axis: the values that were measured, if they are few.
func (c chart) marks(x axis) (marked []float64) {
	seen := map[float64]bool{}
	for _, s := range c.series {
		for _, p := range s.points {
			if !seen[p.x] {
				seen[p.x] = true
				marked = append(marked, p.x)
			}
		}
	}
	if len(marked) > 8 {
		return x.ticks()
	}
	return marked
}

func drawSeries(b *strings.Builder, i, of int, s series, x, y axis) {
	var path strings.Builder
	fmt.Fprintf(b, `<g class="s%d">`, i)
	for n, p := range s.points {
		px, py := x.at(p.x), y.at(p.y)
		if p.high > 0 {
			px += (float64(i) - float64(of-1)/2) * 11 // beside each other
			fmt.Fprintf(b,
				`<line class="range" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/><line `+
					`class="range" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`,
				px, px, py, y.at(p.high), px-4, px+4, y.at(p.high), y.at(p.high))
		} else {
			command := "L"
			if n == 0 {
				command = "M"
			}
			fmt.Fprintf(&path, "%s%.1f %.1f", command, px, py)
		}
		b.WriteString(mark(i, px, py))
	}
	if path.Len() > 0 {
		fmt.Fprintf(b, `<path class="line" d="%s"/>`, path.String())
	}
	b.WriteString("</g>")
}

// mark draws the mark of a series, so that series differ not only by colour.
func mark(series int, x, y float64) string {
	switch series % 3 {
	case 0:
		return fmt.Sprintf(`<circle class="mark" cx="%.1f" cy="%.1f" r="4.5"/>`, x, y)
	case 1:
		return fmt.Sprintf(`<rect class="mark" x="%.1f" y="%.1f" width="8.4" height="8.4"/>`, x-4.2,
			y-4.2)
	}
	return fmt.Sprintf(`<path class="mark" d="M%.1f %.1fL%.1f %.1fL%.1f %.1fZ"/>`, x, y-5.4, x+5.2,
		y+4, x-5.2, y+4)
}

// legend names the series.
func (c chart) legend() string {
	if len(c.series) < 2 {
		return ""
	}
	var b strings.Builder
	b.WriteString(`<ul class="legend">`)
	for i, s := range c.series {
		fmt.Fprintf(&b, `<li><svg class="key" viewBox="0 0 28 14" aria-hidden="true" xmlns="http://www.w3.org/2000/svg"><g class="s%d"><path class="line" d="M1 7L27 7"/>%s</g></svg>%s</li>`,
			i, mark(i, 14, 7), html.EscapeString(s.name))
	}
	b.WriteString("</ul>")
	return b.String()
}

// short formats a figure in few characters.
func short(v float64) string {
	switch {
	case v >= 999_999:
		return fmt.Sprintf("%.3gM", v/1e6)
	case v >= 1_000:
		return fmt.Sprintf("%.3gk", v/1e3)
	}
	return fmt.Sprintf("%.3g", v)
}
