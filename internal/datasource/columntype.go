package datasource

import (
	"regexp"
	"strings"
)

// typeName is what a column type is called in each dialect.
type typeName struct {
	sqlite, postgres string
	arguments        int // how many numbers in parentheses it may have
}

// columnTypes are the types that a table may be made of. Integers have 64 bits
// as the language's have, whatever they are called.
var columnTypes = map[string]typeName{
	"INTEGER": {"INTEGER", "bigint", 0}, "INT": {"INTEGER", "bigint", 0}, "BIGINT": {"INTEGER", "bigint", 0},
	"SMALLINT": {"INTEGER", "smallint", 0},
	"SERIAL":   {"INTEGER", "bigserial", 0}, "BIGSERIAL": {"INTEGER", "bigserial", 0},
	"VARCHAR": {"VARCHAR", "varchar", 1}, "CHAR": {"CHAR", "char", 1}, "CHARACTER VARYING": {"VARCHAR", "varchar", 1},
	"TEXT": {"TEXT", "text", 0}, "STRING": {"TEXT", "text", 0}, "STR": {"TEXT", "text", 0},
	"FLOAT": {"FLOAT", "double precision", 0}, "REAL": {"REAL", "double precision", 0},
	"DOUBLE": {"DOUBLE", "double precision", 0}, "DOUBLE PRECISION": {"DOUBLE PRECISION", "double precision", 0},
	"NUMERIC": {"NUMERIC", "numeric", 2}, "DECIMAL": {"NUMERIC", "numeric", 2},
	"BOOLEAN": {"BOOLEAN", "boolean", 0}, "BOOL": {"BOOLEAN", "boolean", 0},
	"DATE": {"DATE", "date", 0}, "TIME": {"TIME", "time", 0},
	"TIMESTAMP": {"TIMESTAMP", "timestamp", 0}, "DATETIME": {"TIMESTAMP", "timestamp", 0},
	"TIMESTAMPTZ": {"TIMESTAMPTZ", "timestamptz", 0}, "TIMESTAMP WITH TIME ZONE": {"TIMESTAMPTZ", "timestamptz", 0},
	"JSON": {"JSON", "json", 0}, "JSONB": {"JSON", "jsonb", 0}, "UUID": {"UUID", "uuid", 0},
	"BLOB": {"BLOB", "bytea", 0}, "BYTEA": {"BLOB", "bytea", 0},
}

var (
	constraints = regexp.MustCompile(` (PRIMARY KEY|NOT NULL|NULL|UNIQUE)$`)
	typeForm    = regexp.MustCompile(`^([A-Z]+(?: [A-Z]+)*) ?(?:\( ?([0-9]{1,4}) ?(?:, ?([0-9]{1,4}) ?)?\))?$`)
)

// columnType translates a column's type. Besides the type it may say PRIMARY
// KEY, NOT NULL and UNIQUE.
func columnType(dialect Dialect, text string) (string, error) {
	rest := strings.ToUpper(strings.Join(strings.Fields(text), " "))
	suffix := ""
	for {
		found := constraints.FindString(rest)
		if found == "" {
			break
		}
		rest, suffix = strings.TrimSuffix(rest, found), found+suffix
	}
	form := typeForm.FindStringSubmatch(rest)
	if form == nil {
		return "", refuse("unknown column type %q", text)
	}
	known, ok := columnTypes[form[1]]
	arguments := 0
	for _, argument := range form[2:] {
		if argument != "" {
			arguments++
		}
	}
	if !ok || arguments > known.arguments {
		return "", refuse("unknown column type %q", text)
	}
	name := known.sqlite
	if dialect == Postgres {
		name = known.postgres
	}
	switch arguments {
	case 1:
		name += "(" + form[2] + ")"
	case 2:
		name += "(" + form[2] + ", " + form[3] + ")"
	}
	return name + suffix, nil
}
