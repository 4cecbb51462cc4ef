package datasource

import (
	"encoding/json"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
)

// valueText is the text of a value inside a text literal, as the language
// writes it: True, 4.0, and JSON for lists and dicts.
func valueText(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return floatText(v)
	case string:
		return v
	}
	return string(appendJSON(nil, v))
}

// floatText writes the shortest digits that read back as the same number, in
// the language's way: always a point or an exponent.
func floatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	if size := math.Abs(f); size != 0 && (size < 1e-4 || size >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

func appendJSON(out []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(out, "null"...)
	case bool:
		return strconv.AppendBool(out, v)
	case int:
		return strconv.AppendInt(out, int64(v), 10)
	case int64:
		return strconv.AppendInt(out, v, 10)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return append(out, "null"...)
		}
		return append(out, floatText(v)...)
	case string:
		return appendJSONText(out, v)
	case []any:
		out = append(out, '[')
		for i, item := range v {
			if i > 0 {
				out = append(out, ',')
			}
			out = appendJSON(out, item)
		}
		return append(out, ']')
	case map[string]any:
		return appendJSON(out, sortedObject(v))
	case Object:
		out = append(out, '{')
		for i, member := range v {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(appendJSONText(out, member.Name), ':')
			out = appendJSON(out, member.Value)
		}
		return append(out, '}')
	}
	return appendJSONText(out, fmt.Sprint(v))
}

func appendJSONText(out []byte, text string) []byte {
	quoted, err := json.Marshal(text)
	if err != nil { // text always has a JSON form
		return append(out, `""`...)
	}
	return append(out, quoted...)
}

// sortedObject gives a Go map, which has no order, a stable one.
func sortedObject(m map[string]any) Object {
	object := make(Object, 0, len(m))
	for name, value := range m {
		object = append(object, Member{Name: name, Value: value})
	}
	sort.Slice(object, func(i, j int) bool { return object[i].Name < object[j].Name })
	return object
}
