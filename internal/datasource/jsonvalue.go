package datasource

import (
	"encoding/json"
	"strconv"
	"strings"
)

// maxJSONDepth bounds the recursion over what a database delivers.
const maxJSONDepth = 500

// decodeJSON reads a JSON column. Text that is none, or nests too deeply,
// stays the text it is.
func decodeJSON(text string) any {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	value, ok := decodeNext(decoder, 0)
	if !ok || decoder.More() {
		return text
	}
	return value
}

func decodeNext(decoder *json.Decoder, depth int) (any, bool) {
	token, err := decoder.Token()
	if err != nil || depth > maxJSONDepth {
		return nil, false
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '[' {
			return decodeList(decoder, depth)
		}
		return decodeObject(decoder, depth)
	case json.Number:
		return numberValue(string(token)), true
	}
	return token, true
}

func decodeList(decoder *json.Decoder, depth int) (any, bool) {
	list := []any{}
	for decoder.More() {
		item, ok := decodeNext(decoder, depth+1)
		if !ok {
			return nil, false
		}
		list = append(list, item)
	}
	_, err := decoder.Token()
	return list, err == nil
}

func decodeObject(decoder *json.Decoder, depth int) (any, bool) {
	object := Object{}
	places := map[string]int{}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, false
		}
		value, ok := decodeNext(decoder, depth+1)
		if !ok {
			return nil, false
		}
		key, _ := name.(string)
		if place, again := places[key]; again {
			object[place].Value = value
			continue
		}
		places[key] = len(object)
		object = append(object, Member{Name: key, Value: value})
	}
	_, err := decoder.Token()
	return object, err == nil
}

// numberValue is a JSON number: an int where it is written as one and fits.
func numberValue(text string) any {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	f, _ := strconv.ParseFloat(text, 64) // beyond the range: an infinity
	return f
}

// exactNumber is a number of a decimal type: an int where it is written
// without a fraction, a float where that keeps every digit, else its text.
func exactNumber(text string) any {
	if !strings.ContainsAny(text, ".eE") {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return text
	}
	if strings.ContainsAny(text, "NIn") { // NaN, Infinity
		return f
	}
	back := strconv.FormatFloat(f, 'f', -1, 64)
	if strings.Contains(text, ".") && !strings.ContainsAny(text, "eE") && trimZeros(text) == trimZeros(back) {
		return f
	}
	return text
}

func trimZeros(digits string) string {
	if strings.Contains(digits, ".") {
		digits = strings.TrimRight(strings.TrimRight(digits, "0"), ".")
	}
	if digits == "-0" {
		return "0"
	}
	return digits
}
