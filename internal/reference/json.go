package reference

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// parseJSON reads a JSON text as values of the language.
func (in *interpreter) parseJSON(text string) (value, bool) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	v, err := in.jsonValue(decoder)
	if err != nil {
		return nil, false
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, false
	}
	return v, true
}

func (in *interpreter) jsonValue(decoder *json.Decoder) (value, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '[' {
			out := newList()
			for decoder.More() {
				item, err := in.jsonValue(decoder)
				if err != nil {
					return nil, err
				}
				out.items = append(out.items, item)
			}
			_, err = decoder.Token()
			return out, err
		}
		out := newDict()
		for decoder.More() {
			key, err := decoder.Token()
			if err != nil {
				return nil, err
			}
			item, err := in.jsonValue(decoder)
			if err != nil {
				return nil, err
			}
			in.set(out, key.(string), item)
		}
		_, err = decoder.Token()
		return out, err
	case json.Number:
		if i, err := strconv.ParseInt(t.String(), 10, 64); err == nil {
			return i, nil
		}
		f, _ := strconv.ParseFloat(t.String(), 64)
		return f, nil
	}
	return token, nil
}

// writeJSON writes a value as an answer does. A value that contains itself gives false.
func (in *interpreter) writeJSON(out *bytes.Buffer, v value) bool {
	if in.cyclic(v, map[any]bool{}) {
		return false
	}
	in.writeValue(out, v)
	return true
}

func (in *interpreter) writeValue(out *bytes.Buffer, v value) {
	switch v := v.(type) {
	case nil:
		out.WriteString("null")
	case bool:
		out.WriteString(strconv.FormatBool(v))
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			out.WriteString("null")
		} else {
			out.WriteString(floatText(v))
		}
	case int64:
		out.WriteString(strconv.FormatInt(v, 10))
	case string:
		writeText(out, v)
	case *list:
		out.WriteString("[")
		for i, item := range v.items {
			if i > 0 {
				out.WriteString(",")
			}
			in.writeValue(out, item)
		}
		out.WriteString("]")
	case *dict:
		out.WriteString("{")
		for i, p := range v.entries() {
			if i > 0 {
				out.WriteString(",")
			}
			writeText(out, in.keyText(p.key))
			out.WriteString(":")
			in.writeValue(out, p.value)
		}
		out.WriteString("}")
	}
}

// keyText is a dict's key as the name of a member.
func (in *interpreter) keyText(key value) string {
	switch k := key.(type) {
	case string:
		return k
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(k)
	case float64:
		if math.IsNaN(k) || math.IsInf(k, 0) {
			in.leave("the name of a member that is no finite number")
		}
	}
	return in.str(key)
}

func writeText(out *bytes.Buffer, s string) {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		panic(err) // a text always has a JSON form
	}
	out.Truncate(out.Len() - 1)
}

// addParam looks in the query string, the body and the form, in this order.
func (in *interpreter) addParam(a []argument) value {
	name := in.str(a[0].value)
	first := func(list []Pair) (value, bool) {
		at := slices.IndexFunc(list, func(p Pair) bool { return p.Name == name })
		if at < 0 {
			return nil, false
		}
		return in.paramText(list[at].Text), true
	}
	if v, ok := first(in.request.Query); ok {
		return v
	}
	if body, ok := in.parseJSON(string(in.request.Body)); ok && name != "script" && name != "variables" {
		if d, isDict := body.(*dict); isDict {
			if v, ok := in.find(d, name); ok {
				if text, isText := v.(string); isText {
					if number, ok := numberText(text); ok {
						return number
					}
				}
				return v
			}
		}
	}
	v, _ := first(in.request.Form)
	return v
}

// paramText reads a parameter that came as text.
func (in *interpreter) paramText(text string) value {
	if text == "" {
		return nil
	}
	if number, ok := numberText(text); ok {
		return number
	}
	if v, ok := in.parseJSON(text); ok {
		return v
	}
	return text
}

func (in *interpreter) queryList([]argument) value {
	out := newList()
	for _, p := range in.request.Query {
		d := newDict()
		in.set(d, p.Name, p.Text)
		out.items = append(out.items, d)
	}
	return out
}
