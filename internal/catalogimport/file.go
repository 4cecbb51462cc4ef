package catalogimport

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// FromFile reads the tables of a file: a SQLite database, a dump as SQL text,
// JSON, or the function table as CSV with a header. The name decides only
// between CSV and SQL.
func FromFile(ctx context.Context, name string, file []byte) (*Catalogue, error) {
	text := bytes.TrimSpace(file)
	switch {
	case bytes.HasPrefix(file, []byte("SQLite format 3\x00")):
		return fromSQLite(ctx, file)
	case bytes.HasPrefix(file, []byte("PGDMP")):
		return nil, errors.New("this is a dump in PostgreSQL's own format; make one as text with pg_dump --format=plain, or give the database's URL")
	case bytes.HasPrefix(text, []byte("[")), bytes.HasPrefix(text, []byte("{")):
		return fromJSON(text)
	case strings.EqualFold(filepath.Ext(name), ".csv"):
		return fromCSV(file)
	}
	return fromSQL(string(file))
}

// fromJSON takes a list of rows of the function table, or an object with a
// list for each table.
func fromJSON(text []byte) (*Catalogue, error) {
	var rows map[string][]map[string]any
	var err error
	if text[0] == '[' {
		var functions []map[string]any
		err = json.Unmarshal(text, &functions)
		rows = map[string][]map[string]any{functionTable: functions}
	} else {
		err = json.Unmarshal(text, &rows)
	}
	if err != nil {
		return nil, fmt.Errorf("the JSON is no list of rows, and no object with a list for each table: %w", err)
	}
	tables := make(map[string]*table)
	for name, list := range rows {
		t := &table{columns: []string{"name", "interface", "description", "code", "command_name", "bytecode"}}
		for _, object := range list {
			row := make([]string, len(t.columns))
			for i, column := range t.columns {
				if row[i], err = jsonText(object[column]); err != nil {
					return nil, err
				}
			}
			t.rows = append(t.rows, row)
		}
		tables[name] = t
	}
	return catalogue(tables)
}

// jsonText gives a value as the text it would be in the table: an interface
// may be written out instead of being text.
func jsonText(value any) (string, error) {
	switch value := value.(type) {
	case nil:
		return "", nil
	case string:
		return value, nil
	}
	text, err := json.Marshal(value)
	return string(text), err
}

func fromCSV(file []byte) (*Catalogue, error) {
	reader := csv.NewReader(bytes.NewReader(file))
	reader.FieldsPerRecord = -1
	t := new(table)
	for {
		row, err := reader.Read()
		switch {
		case errors.Is(err, io.EOF):
			return catalogue(map[string]*table{functionTable: t})
		case err != nil:
			return nil, fmt.Errorf("the CSV cannot be read: %w", err)
		case t.columns == nil:
			t.columns = row
		default:
			t.rows = append(t.rows, row)
		}
	}
}
