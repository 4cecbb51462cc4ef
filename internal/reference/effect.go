package reference

import (
	"fmt"
	"math"
	"strings"
	"time"
)

func (in *interpreter) randomString(a []argument) value {
	n, ok := countsAs(a[1].value)
	count, isInt := n.(int64)
	if !ok || !isInt || in.request.Random == nil {
		in.leave("random text")
	}
	class := ""
	if a[0].given {
		class = in.str(a[0].value)
	}
	return in.request.Random(class, int(count))
}

func (in *interpreter) now(a []argument) value {
	if in.request.Now.IsZero() || a[2].given && a[2].value != "" && a[2].value != "UTC" {
		in.leave("the time in a zone")
	}
	return in.showTime(float64(in.request.Now.UnixMicro())/1e6, a[0], a[1])
}

func (in *interpreter) formatTime(a []argument) value {
	stamp, ok := countsAs(a[0].value)
	if !ok {
		panic(in.unfit("stamp"))
	}
	return in.showTime(toFloat(stamp), a[1], a[2])
}

func (in *interpreter) delta(a argument) float64 {
	if !a.given || a.value == nil || a.value == "" {
		return 0
	}
	seconds, ok := countsAs(a.value)
	if !ok {
		panic(in.unfit("delta"))
	}
	return toFloat(seconds)
}

func (in *interpreter) showTime(stamp float64, format, delta argument) value {
	stamp += in.delta(delta)
	if !format.given || format.value == nil || format.value == "" {
		return stamp
	}
	if math.IsNaN(stamp) || stamp < -62135596800 || stamp >= 253402300800 {
		panic(in.unfit("timestamp out of range"))
	}
	t := time.Unix(int64(math.Floor(stamp)), 0).UTC()
	var out strings.Builder
	text := in.str(format.value)
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] != '%' || i+1 == len(text):
			out.WriteByte(text[i])
		case text[i+1] == '%':
			out.WriteByte('%')
			i++
		default:
			out.WriteString(in.timeField(text[i+1], t))
			i++
		}
	}
	return out.String()
}

func (in *interpreter) timeField(code byte, t time.Time) string {
	switch code {
	case 'Y':
		return fmt.Sprintf("%d", t.Year())
	case 'm':
		return t.Format("01")
	case 'd':
		return t.Format("02")
	case 'H':
		return t.Format("15")
	case 'M':
		return t.Format("04")
	case 'S':
		return t.Format("05")
	case 'j':
		return t.Format("002")
	case 'A':
		return t.Format("Monday")
	case 'a':
		return t.Format("Mon")
	case 'B':
		return t.Format("January")
	case 'b':
		return t.Format("Jan")
	case 'y':
		return t.Format("06")
	}
	in.leave("a rare field of a date")
	return ""
}

// layouts are the directives of strptime that have an equal in Go's layouts.
var layouts = strings.NewReplacer("%Y", "2006", "%m", "1", "%d", "2", "%H", "15", "%M", "4", "%S", "5", "%B", "January", "%b", "Jan")

func (in *interpreter) parseTime(a []argument) value {
	if !a[1].given || a[1].value == nil || a[1].value == "" {
		stamp, ok := countsAs(a[0].value)
		if !ok {
			panic(in.unfit("stamp"))
		}
		return toFloat(stamp) + in.delta(a[2])
	}
	format := in.str(a[1].value)
	layout := layouts.Replace(format)
	if strings.Contains(layout, "%") || strings.ContainsAny(format, "0123456789") {
		in.leave("a rare field of a date")
	}
	t, err := time.Parse(layout, in.str(a[0].value))
	if err != nil && strings.Contains(err.Error(), "day out of range") {
		panic(in.unfit("day out of range")) // the text has the format's form
	}
	if err != nil {
		panic(in.fail(codeValue, Any+" does not match format "+Any, "strptime"))
	}
	return float64(t.Unix()) + in.delta(a[2])
}
