// Package plot draws curves as SVG, both axes in powers of ten.
package plot

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Chart is one picture.
type Chart struct {
	Title string
	X, Y  Axis
	Lines []Line
}

// Axis says what is counted and how a power of ten of it is written.
type Axis struct {
	Label  string
	Number func(float64) string
}

// Line is one curve. Values that are not above zero have no place on a
// logarithmic axis and are left out.
type Line struct {
	Name   string
	Points []Point
}

// Point is a place on a curve.
type Point struct{ X, Y float64 }

// hasPlace is false for numbers that are none, too.
func (p Point) hasPlace() bool { return p.X > 0 && p.Y > 0 }

// Measures of the picture, in pixels.
const (
	width, height = 640, 400
	left, right   = 84, 24
	top           = 64
	bottom        = 64
	nameHeight    = 18
)

// style gives lines and words colours that can be told apart and read on light
// and on dark pages; the lines differ in their dashes as well.
const style = `text{font:13px system-ui,sans-serif;fill:#24292f}
.title{font-weight:600;font-size:15px}
.grid{stroke:#8c959f;stroke-opacity:.35}
.frame{stroke:#57606a;fill:none}
.line{fill:none;stroke-width:2.5}
.s0{stroke:#0969da;fill:#0969da}.s1{stroke:#bc4c00;fill:#bc4c00}.s2{stroke:#1a7f37;fill:#1a7f37}.s3{stroke:#8250df;fill:#8250df}
.line.s0,.line.s1,.line.s2,.line.s3{fill:none}
.line.s1{stroke-dasharray:8 4}.line.s2{stroke-dasharray:2 4}.line.s3{stroke-dasharray:10 4 2 4}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.grid{stroke:#8b949e}.frame{stroke:#8b949e}
.s0{stroke:#58a6ff;fill:#58a6ff}.s1{stroke:#f0883e;fill:#f0883e}.s2{stroke:#56d364;fill:#56d364}.s3{stroke:#d2a8ff;fill:#d2a8ff}}
`

// decades is the range of an axis, in whole powers of ten.
type decades struct{ low, high float64 }

func (d decades) place(value float64) float64 { return (math.Log10(value) - d.low) / (d.high - d.low) }

func (c *Chart) decades(of func(Point) float64) decades {
	d := decades{math.Inf(1), math.Inf(-1)}
	for _, l := range c.Lines {
		for _, p := range l.Points {
			if p.hasPlace() {
				d.low = min(d.low, math.Floor(math.Log10(of(p))))
				d.high = max(d.high, math.Ceil(math.Log10(of(p))))
			}
		}
	}
	switch {
	case math.IsInf(d.low, 1):
		return decades{0, 1}
	case d.low >= d.high:
		d.high = d.low + 1
	}
	return d
}

// drawing is a picture on its way.
type drawing struct {
	bytes.Buffer

	x, y decades
}

func (d *drawing) at(p Point) (x, y float64) {
	return left + d.x.place(p.X)*(width-left-right), height - bottom - d.y.place(p.Y)*(height-top-bottom)
}

func (d *drawing) text(x, y float64, attributes, words string) {
	fmt.Fprintf(d, `<text x="%.1f" y="%.1f" %s>`, x, y, attributes)
	_ = xml.EscapeText(d, []byte(words)) // a buffer takes everything
	d.WriteString("</text>\n")
}

// SVG draws the chart.
func (c *Chart) SVG() []byte {
	d := &drawing{x: c.decades(func(p Point) float64 { return p.X }), y: c.decades(func(p Point) float64 { return p.Y })}
	total := height + nameHeight*len(c.Lines)
	fmt.Fprintf(d, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">`+"\n", width, total, width, total)
	d.WriteString("<title>")
	_ = xml.EscapeText(d, []byte(c.Title)) // a buffer takes everything
	d.WriteString("</title>\n<style>" + style + "</style>\n")
	d.text(left, 24, `class="title"`, c.Title)
	d.text(left, 48, "", c.Y.Label)
	d.text(left+(width-left-right)/2.0, height-16, `text-anchor="middle"`, c.X.Label)
	c.grid(d)
	for i, l := range c.Lines {
		d.line(l, i)
		d.name(l.Name, i)
	}
	d.WriteString("</svg>\n")
	return d.Bytes()
}

// grid draws a line for each power of ten and writes its number beside it.
func (c *Chart) grid(d *drawing) {
	for power := d.x.low; power <= d.x.high; power++ {
		x, _ := d.at(Point{math.Pow(10, power), math.Pow(10, d.y.low)})
		fmt.Fprintf(d, `<path class="grid" d="M%.1f %dV%d"/>`+"\n", x, top, height-bottom)
		d.text(x, height-bottom+20, `text-anchor="middle"`, c.X.Number(math.Pow(10, power)))
	}
	for power := d.y.low; power <= d.y.high; power++ {
		_, y := d.at(Point{math.Pow(10, d.x.low), math.Pow(10, power)})
		fmt.Fprintf(d, `<path class="grid" d="M%d %.1fH%d"/>`+"\n", left, y, width-right)
		d.text(left-8, y+4, `text-anchor="end"`, c.Y.Number(math.Pow(10, power)))
	}
	fmt.Fprintf(d, `<rect class="frame" x="%d" y="%d" width="%d" height="%d"/>`+"\n", left, top, width-left-right, height-top-bottom)
}

func (d *drawing) line(l Line, i int) {
	points := slices.Clone(l.Points)
	slices.SortFunc(points, func(p, q Point) int { return cmp.Compare(p.X, q.X) })
	var path, marks strings.Builder
	for _, p := range points {
		if !p.hasPlace() {
			continue
		}
		x, y := d.at(p)
		command := "L"
		if path.Len() == 0 {
			command = "M"
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", command, x, y)
		fmt.Fprintf(&marks, `<circle class="s%d" cx="%.1f" cy="%.1f" r="3.5"/>`+"\n", i%4, x, y)
	}
	fmt.Fprintf(d, `<path class="line s%d" d="%s"/>`+"\n%s", i%4, path.String(), marks.String())
}

// name explains a line below the picture.
func (d *drawing) name(name string, i int) {
	y := float64(height + nameHeight*i)
	fmt.Fprintf(d, `<path class="line s%d" d="M%d %.1fh32"/>`+"\n", i%4, left, y)
	d.text(left+42, y+4, "", name)
}
