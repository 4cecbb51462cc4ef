package plot_test

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/avapd/avapd/internal/bench/plot"
)

func number(v float64) string { return fmt.Sprintf("%g", v) }

func chart(lines ...plot.Line) *plot.Chart {
	return &plot.Chart{
		Title: "Time & size <of> scripts", X: plot.Axis{Label: "lines", Number: number},
		Y: plot.Axis{Label: "seconds", Number: number}, Lines: lines,
	}
}

// wellFormed reads the whole document and gives its texts.
func wellFormed(t *testing.T, svg []byte) string {
	t.Helper()
	var texts strings.Builder
	decoder := xml.NewDecoder(strings.NewReader(string(svg)))
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return texts.String()
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
		if words, ok := token.(xml.CharData); ok {
			texts.Write(words)
		}
	}
}

// Equal steps of powers of ten are equal steps on the picture.
func TestDecadesAreEven(t *testing.T) {
	svg := chart(plot.Line{Name: "cost", Points: []plot.Point{{1000, 0.01}, {10, 0.0001}, {100, 0.001}}}).SVG()
	texts := wellFormed(t, svg)
	for _, want := range []string{"Time & size <of> scripts", "lines", "seconds", "cost", "1000", "0.0001"} {
		if !strings.Contains(texts, want) {
			t.Errorf("%q is not written", want)
		}
	}
	circles := regexp.MustCompile(`cx="([0-9.]+)" cy="([0-9.]+)"`).FindAllStringSubmatch(string(svg), -1)
	if len(circles) != 3 {
		t.Fatalf("%d points instead of 3", len(circles))
	}
	var x, y [3]float64
	for i, c := range circles {
		x[i], _ = strconv.ParseFloat(c[1], 64)
		y[i], _ = strconv.ParseFloat(c[2], 64)
	}
	if math.Abs((x[1]-x[0])-(x[2]-x[1])) > 0.2 || math.Abs((y[0]-y[1])-(y[1]-y[2])) > 0.2 || x[1] <= x[0] || y[1] >= y[0] {
		t.Errorf("points at %v, %v", x, y)
	}
}

// What cannot be drawn is left out, and nothing becomes a number that is none.
func TestNothingToDraw(t *testing.T) {
	for _, c := range []*plot.Chart{
		chart(),
		chart(plot.Line{Name: "empty"}),
		chart(plot.Line{Name: "zero", Points: []plot.Point{{0, 1}, {1, 0}, {-1, -1}}}),
		chart(plot.Line{Name: "one", Points: []plot.Point{{1, 1}}}),
		chart(plot.Line{Name: "none", Points: []plot.Point{{1, math.NaN()}}}),
	} {
		svg := c.SVG()
		wellFormed(t, svg)
		if strings.Contains(string(svg), "NaN") || strings.Contains(string(svg), "Inf") {
			t.Errorf("no number in\n%s", svg)
		}
	}
}
