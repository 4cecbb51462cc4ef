package datasource

import (
	"database/sql/driver"
	"encoding/base64"
	"strings"
	"time"
)

// decoders gives a function for each column that turns what SQLite stores into
// a value, by the type that the column was declared with.
func decoders(rows driver.Rows, n int) []func(any) any {
	typed, _ := rows.(driver.RowsColumnTypeDatabaseTypeName)
	list := make([]func(any) any, n)
	for i := range list {
		declared := ""
		if typed != nil {
			declared = typed.ColumnTypeDatabaseTypeName(i)
		}
		list[i] = decoder(strings.TrimSpace(declared))
	}
	return list
}

func decoder(declared string) func(any) any {
	name, arguments, _ := strings.Cut(declared, "(")
	switch strings.TrimSpace(name) {
	case "BOOLEAN", "BOOL":
		return storedBool
	case "JSON", "JSONB":
		return func(v any) any {
			if text, isText := v.(string); isText {
				return decodeJSON(text)
			}
			return storedValue(v)
		}
	case "NUMERIC", "DECIMAL":
		if _, scale, hasScale := strings.Cut(strings.TrimSuffix(arguments, ")"), ","); hasScale && strings.Trim(scale, " 0") != "" {
			// SQLite stores 5.00 as 5.
			return func(v any) any {
				if n, isInt := v.(int64); isInt && int64(float64(n)) == n {
					return float64(n)
				}
				return storedValue(v)
			}
		}
	case "DATE":
		return timeDecoder("2006-01-02")
	case "DATETIME", "TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE":
		return timeDecoder("2006-01-02T15:04:05.999999999")
	}
	return storedValue
}

// storedBool reads the forms that booleans are stored in.
func storedBool(v any) any {
	switch v := v.(type) {
	case int64:
		if v == 0 || v == 1 {
			return v == 1
		}
	case string:
		switch strings.ToLower(v) {
		case "true", "t", "yes", "y", "on", "1":
			return true
		case "false", "f", "no", "n", "off", "0":
			return false
		}
	}
	return storedValue(v)
}

// timeDecoder writes times that the driver understood in a layout. Without a
// zone they come as UTC, and leave without.
func timeDecoder(layout string) func(any) any {
	return func(v any) any {
		switch v := v.(type) {
		case time.Time:
			if _, offset := v.Zone(); offset != 0 && len(layout) > len("2006-01-02") {
				return v.Format(layout + "-07:00")
			}
			return v.Format(layout)
		case string: // the driver leaves some declared types alone
			return isoTimestamp(v)
		}
		return storedValue(v)
	}
}

func storedValue(v any) any {
	switch v := v.(type) {
	case []byte:
		return base64.StdEncoding.EncodeToString(v)
	case time.Time:
		return v.Format(time.RFC3339Nano)
	}
	return v
}

// isoTimestamp turns `2024-01-02 03:04:05+00` into 2024-01-02T03:04:05+00:00.
// What looks otherwise stays.
func isoTimestamp(text string) string {
	if len(text) < 19 || text[4] != '-' || text[10] != ' ' || strings.HasSuffix(text, "BC") {
		return text
	}
	text = text[:10] + "T" + text[11:]
	if sign := len(text) - 3; text[sign] == '+' || text[sign] == '-' {
		text += ":00"
	}
	return text
}

// sizeOf is the size of a row's values.
func sizeOf(values []driver.Value) int64 {
	size := 0
	for _, value := range values {
		switch value := value.(type) {
		case string:
			size += len(value)
		case []byte:
			size += len(value)
		}
	}
	return int64(size)
}
