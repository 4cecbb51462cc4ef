package datasource

import (
	"context"
	"slices"
	"strings"
)

// build gathers the parts of a statement that we write ourselves.
type build struct{ parts []Part }

func (b *build) text(sql ...string) {
	for _, piece := range sql {
		b.parts = append(b.parts, Text(piece))
	}
}

// value adds one value. A list is one column's value here, not a list of
// parameters, so it travels as JSON text.
func (b *build) value(v any) {
	if list, isList := v.([]any); isList {
		v = string(appendJSON(nil, list))
	}
	b.parts = append(b.parts, Value(v))
}

// where adds a condition, if there is one. The word itself may lead it.
func (b *build) where(condition Statement) {
	parts := merge(condition.Parts)
	if len(parts) > 0 && !parts[0].IsValue {
		text := strings.TrimLeft(parts[0].Text, " \t\r\n")
		if len(text) > 5 && strings.EqualFold(text[:5], "WHERE") && !isWordByte(text[5]) {
			text = text[5:]
		}
		parts[0].Text = text
	}
	if blank(parts) {
		return
	}
	b.text(" WHERE ")
	b.parts = append(b.parts, parts...)
}

func blank(parts []Part) bool {
	return !slices.ContainsFunc(parts, func(part Part) bool { return part.IsValue || strings.TrimSpace(part.Text) != "" })
}

func (d *database) Select(ctx context.Context, fields any, table string, condition Statement, limits Limits) (*Result, error) {
	name, err := quoteName(d.Dialect(), table)
	if err != nil {
		return nil, err
	}
	list, err := splitList(fields)
	if err != nil {
		return nil, err
	}
	columns := []string{"*"}
	if all := len(list) == 1 && list[0] == any("*"); len(list) > 0 && !all && list[0] != any("") {
		if columns, err = quoteNames(d.Dialect(), list); err != nil {
			return nil, err
		}
	}
	b := &build{}
	b.text("SELECT ", strings.Join(columns, ", "), " FROM ", name)
	b.where(condition)
	return d.Exec(ctx, Statement{Parts: b.parts, Dynamic: condition.Dynamic}, limits)
}

func (d *database) Insert(ctx context.Context, fields, values any, table string, limits Limits) (*Result, error) {
	name, columns, items, err := d.assignments(fields, values, table)
	if err != nil {
		return nil, err
	}
	b := &build{}
	b.text("INSERT INTO ", name, " (", strings.Join(columns, ", "), ") VALUES (")
	for i, item := range items {
		if i > 0 {
			b.text(", ")
		}
		b.value(item)
	}
	b.text(")")
	return d.Exec(ctx, Statement{Parts: b.parts}, limits)
}

func (d *database) Update(ctx context.Context, fields, values any, table string, condition Statement, limits Limits) (*Result, error) {
	name, columns, items, err := d.assignments(fields, values, table)
	if err != nil {
		return nil, err
	}
	b := &build{}
	b.text("UPDATE ", name, " SET ")
	for i, item := range items {
		if i > 0 {
			b.text(", ")
		}
		b.text(columns[i], " = ")
		b.value(item)
	}
	b.where(condition)
	return d.Exec(ctx, Statement{Parts: b.parts, Dynamic: condition.Dynamic}, limits)
}

func (d *database) Delete(ctx context.Context, table string, condition Statement, limits Limits) (*Result, error) {
	name, err := quoteName(d.Dialect(), table)
	if err != nil {
		return nil, err
	}
	b := &build{}
	b.text("DELETE FROM ", name)
	b.where(condition)
	return d.Exec(ctx, Statement{Parts: b.parts, Dynamic: condition.Dynamic}, limits)
}

// assignments pairs fields and values.
func (d *database) assignments(fields, values any, table string) (name string, columns []string, items []any, err error) {
	if name, err = quoteName(d.Dialect(), table); err != nil {
		return "", nil, nil, err
	}
	if columns, err = quoteNames(d.Dialect(), fields); err != nil {
		return "", nil, nil, err
	}
	if items, err = splitList(values); err != nil {
		return "", nil, nil, err
	}
	if len(columns) == 1 && len(items) != 1 {
		items = []any{wholeValue(values)}
	}
	if len(columns) != len(items) || len(columns) == 0 {
		return "", nil, nil, refuse("%d fields but %d values", len(columns), len(items))
	}
	return name, columns, items, nil
}

// wholeValue is the value of the only field: text with commas is one text.
func wholeValue(values any) any {
	statement, isStatement := values.(Statement)
	if !isStatement {
		return values
	}
	var text strings.Builder
	for _, part := range statement.Parts {
		if part.IsValue && len(statement.Parts) == 1 {
			return part.Value
		}
		if part.IsValue {
			text.WriteString(valueText(part.Value))
		} else {
			text.WriteString(part.Text)
		}
	}
	return text.String()
}

func (d *database) CreateTable(ctx context.Context, fields, types any, table string, limits Limits) (*Result, error) {
	name, err := quoteName(d.Dialect(), table)
	if err != nil {
		return nil, err
	}
	columns, err := quoteNames(d.Dialect(), fields)
	if err != nil {
		return nil, err
	}
	list, err := splitList(types)
	if err != nil {
		return nil, err
	}
	if len(columns) != len(list) || len(columns) == 0 {
		return nil, refuse("%d fields but %d types", len(columns), len(list))
	}
	for i, item := range list {
		column, err := columnType(d.Dialect(), valueText(item))
		if err != nil {
			return nil, err
		}
		columns[i] += " " + column
	}
	return d.Exec(ctx, Constant("CREATE TABLE "+name+" ("+strings.Join(columns, ", ")+")"), limits)
}

func (d *database) TableExists(ctx context.Context, table string, limits Limits) (bool, error) {
	schema, name, qualified := strings.Cut(strings.TrimSpace(table), ".")
	if !qualified {
		schema, name = "", schema
	}
	if strings.IndexByte(table, 0) >= 0 {
		return false, nil
	}
	statement := sqliteTable(schema, name)
	if d.Dialect() == Postgres {
		statement = postgresTable(folded(schema), folded(name))
	}
	result, err := d.Exec(ctx, statement, limits)
	if err != nil {
		return false, err
	}
	return len(result.Rows) > 0, nil
}

// folded is a name as PostgreSQL stores it.
func folded(name string) string {
	if inner, quoted := strings.CutPrefix(name, `"`); quoted {
		return strings.TrimSuffix(inner, `"`)
	}
	return strings.ToLower(name)
}

func sqliteTable(schema, name string) Statement {
	if schema != "" && !strings.EqualFold(schema, "main") {
		return Constant("SELECT 1 WHERE 1 = 0")
	}
	return Template(Text("SELECT 1 FROM sqlite_master WHERE type IN ('table', 'view') AND name = "),
		Value(strings.Trim(name, `"`)), Text(" COLLATE NOCASE"))
}

func postgresTable(schema, name string) Statement {
	parts := []Part{
		Text("SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace" +
			" WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname = "),
		Value(name),
	}
	if schema == "" {
		return Template(append(parts, Text(" AND pg_catalog.pg_table_is_visible(c.oid)"))...)
	}
	return Template(append(parts, Text(" AND n.nspname = "), Value(schema))...)
}
