package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// unit says what a figure counts.
type unit string

const (
	nanoseconds unit = "ns"
	bytesUnit   unit = "bytes"
	perSecond   unit = "1/s"
	times       unit = "×"
	percent     unit = "%"
	count       unit = "count"
)

// figure is a measured value and the range of the middle half of its rounds.
type figure struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	Unit  unit    `json:"unit"`
}

// exactly is a figure without a range.
func exactly(value float64, u unit) figure { return figure{value, value, value, u} }

// String prints three digits of the value, and the range where there is one.
func (f figure) String() string {
	text, suffix := f.scaled(f.Value)
	if !f.spread() {
		return text + suffix
	}
	low, _ := f.scaled(f.Low)
	high, _ := f.scaled(f.High)
	if low == high {
		return text + suffix
	}
	return fmt.Sprintf("%s (%s–%s)%s", text, low, high, suffix)
}

// short leaves the range out.
func (f figure) short() string {
	text, suffix := f.scaled(f.Value)
	return text + suffix
}

func (f figure) spread() bool { return f.Low != f.High }

// scaled prints a value in the size of unit that suits the figure, so that
// value and range have the same.
func (f figure) scaled(value float64) (text, suffix string) {
	size := math.Abs(f.Value)
	switch f.Unit {
	case nanoseconds:
		switch {
		case size < 1e3:
			return digits(value), " ns"
		case size < 1e6:
			return digits(value / 1e3), " µs"
		case size < 1e9:
			return digits(value / 1e6), " ms"
		}
		return digits(value / 1e9), " s"
	case bytesUnit:
		switch {
		case size < 1e3:
			return digits(value), " B"
		case size < 1e6:
			return digits(value / 1e3), " KB"
		}
		return digits(value / 1e6), " MB"
	case perSecond:
		return digits(value), "/s"
	case count:
		return digits(value), ""
	default:
		return digits(value), " " + string(f.Unit)
	}
}

// digits prints three significant digits, and whole numbers whole, with
// narrow gaps between thousands.
func digits(value float64) string {
	size := math.Abs(value)
	switch {
	case math.IsNaN(value):
		return "–"
	case size >= 1e4:
		return grouped(strconv.FormatFloat(math.Round(value/100)*100, 'f', 0, 64))
	case size >= 100, value == math.Trunc(value):
		return strconv.FormatFloat(value, 'f', 0, 64)
	case size >= 10:
		return strconv.FormatFloat(value, 'f', 1, 64)
	case size >= 0.1:
		return strconv.FormatFloat(value, 'f', 2, 64)
	default:
		return strconv.FormatFloat(value, 'f', 3, 64)
	}
}

func grouped(text string) string {
	var parts []string
	for len(text) > 3 {
		parts = append([]string{text[len(text)-3:]}, parts...)
		text = text[:len(text)-3]
	}
	return strings.Join(append([]string{text}, parts...), " ")
}
