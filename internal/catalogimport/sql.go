package catalogimport

import (
	"errors"
	"fmt"
	"strings"
)

// fromSQL reads a dump as text: of the statements CREATE TABLE, INSERT and
// COPY … FROM stdin it takes what concerns the two tables, and passes over
// everything else.
func fromSQL(text string) (*Catalogue, error) {
	d := &dump{text: text, tables: make(map[string]*table)}
	for d.skipBlanks(); d.at < len(d.text); d.skipBlanks() {
		if err := d.statement(); err != nil {
			return nil, fmt.Errorf("line %d of the SQL: %w", 1+strings.Count(text[:min(d.at, len(text))], "\n"), err)
		}
	}
	return catalogue(d.tables)
}

// dump is a reader of SQL text.
type dump struct {
	text   string
	at     int
	tables map[string]*table
}

var errUnfinished = errors.New("the text ends within a statement")

// skipBlanks passes over blanks and comments.
func (d *dump) skipBlanks() {
	for d.at < len(d.text) {
		rest := d.text[d.at:]
		switch {
		case strings.ContainsRune(" \t\r\n\f", rune(rest[0])):
			d.at++
		case strings.HasPrefix(rest, "--"):
			d.at += lineLength(rest)
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest, "*/")
			if end < 0 {
				d.at = len(d.text)
				return
			}
			d.at += end + 2
		default:
			return
		}
	}
}

// lineLength counts a line's bytes, the end of it included.
func lineLength(text string) int {
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		return i + 1
	}
	return len(text)
}

// token is a word, a sign, or a text whose quotes are gone.
type token struct {
	text   string
	quoted bool // a text
	name   bool // a quoted name
}

func (t token) is(word string) bool { return !t.quoted && !t.name && strings.EqualFold(t.text, word) }

// next reads a token; the empty one is the end.
func (d *dump) next() (token, error) {
	d.skipBlanks()
	if d.at >= len(d.text) {
		return token{}, nil
	}
	switch c := d.text[d.at]; {
	case c == '\'':
		text, err := d.quoted('\'', false)
		return token{text: text, quoted: true}, err
	case c == '"', c == '`':
		text, err := d.quoted(c, false)
		return token{text: text, name: true}, err
	case (c == 'E' || c == 'e') && strings.HasPrefix(d.text[d.at+1:], "'"):
		d.at++
		text, err := d.quoted('\'', true)
		return token{text: text, quoted: true}, err
	case (c == 'X' || c == 'x') && strings.HasPrefix(d.text[d.at+1:], "'"): // SQLite's bytes
		d.at++
		text, err := d.quoted('\'', false)
		return token{text: `\x` + text, quoted: true}, err
	case c == '$':
		if tag := d.dollarTag(); tag != "" {
			text, err := d.dollarQuoted(tag)
			return token{text: text, quoted: true}, err
		}
	case wordByte(c):
		from := d.at
		for d.at < len(d.text) && wordByte(d.text[d.at]) {
			d.at++
		}
		return token{text: d.text[from:d.at]}, nil
	}
	d.at++
	return token{text: d.text[d.at-1 : d.at]}, nil
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// escapes are those of E'…' that stand for one character.
var escapes = map[byte]byte{'n': '\n', 't': '\t', 'r': '\r', 'b': '\b', 'f': '\f'}

// quoted reads up to the closing quote; a doubled one is part of the text.
func (d *dump) quoted(quote byte, escaped bool) (string, error) {
	var b strings.Builder
	for d.at++; d.at < len(d.text); d.at++ {
		c := d.text[d.at]
		switch {
		case c == quote && strings.HasPrefix(d.text[d.at+1:], string(quote)):
			d.at++
		case c == quote:
			d.at++
			return b.String(), nil
		case escaped && c == '\\' && d.at+1 < len(d.text):
			d.at++
			c = d.text[d.at]
			if meant, ok := escapes[c]; ok {
				c = meant
			}
		}
		b.WriteByte(c)
	}
	return "", errUnfinished
}

// dollarTag gives the $tag$ that begins a text here, if one does.
func (d *dump) dollarTag() string {
	rest := d.text[d.at:]
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '$':
			return rest[:i+1]
		case !wordByte(c):
			return ""
		}
	}
	return ""
}

// dollarQuoted reads from a tag to the same one.
func (d *dump) dollarQuoted(tag string) (string, error) {
	text, _, ok := strings.Cut(d.text[d.at+len(tag):], tag)
	if !ok {
		return "", errUnfinished
	}
	d.at += 2*len(tag) + len(text)
	return text, nil
}

// statement reads one statement to its end.
func (d *dump) statement() error {
	first, err := d.next()
	if err != nil {
		return err
	}
	switch {
	case first.text == "\\": // an instruction to psql, a line long
		d.at += lineLength(d.text[d.at:])
		return nil
	case first.is("CREATE"):
		return d.create()
	case first.is("INSERT"), first.is("REPLACE"):
		return d.insert()
	case first.is("COPY"):
		return d.copied()
	}
	return d.finish(first)
}

// finish passes over the rest of a statement, of which a token was read.
func (d *dump) finish(read token) error {
	for !read.is(";") && read != (token{}) {
		var err error
		if read, err = d.next(); err != nil {
			return err
		}
	}
	return nil
}

// name reads a table's name, without its schema, and gives the token behind it.
func (d *dump) name() (name string, behind token, err error) {
	t, err := d.next()
	for err == nil {
		name = t.text
		if behind, err = d.next(); err != nil || !behind.is(".") {
			break
		}
		t, err = d.next()
	}
	return strings.ToLower(name), behind, err
}

// list reads comma-separated items up to the closing bracket, the opening one
// being read; each item is its tokens at this level.
func (d *dump) list() ([][]token, error) {
	items := [][]token{nil}
	for depth := 1; ; {
		t, err := d.next()
		switch {
		case err != nil:
			return nil, err
		case t == token{}:
			return nil, errUnfinished
		case t.is("("):
			depth++
		case t.is(")"):
			if depth--; depth == 0 {
				return items, nil
			}
		case depth == 1 && t.is(","):
			items = append(items, nil)
		case depth == 1:
			items[len(items)-1] = append(items[len(items)-1], t)
		}
	}
}

// create reads the columns of a table, for statements that do not name them.
func (d *dump) create() error {
	t, err := d.next()
	if err != nil || !t.is("TABLE") {
		return errors.Join(err, d.finish(t))
	}
	from := d.at
	for _, word := range []string{"IF", "NOT", "EXISTS"} {
		if t, err = d.next(); err != nil || !t.is(word) {
			d.at = from
			break
		}
	}
	name, behind, err := d.name()
	if err != nil || !behind.is("(") {
		return errors.Join(err, d.finish(behind))
	}
	items, err := d.list()
	if err != nil {
		return err
	}
	if columns := firstWords(items); len(columns) <= maxColumns {
		d.tables[name] = &table{columns: columns}
	}
	return d.finish(token{text: ")"})
}

// firstWords are the names of columns, and of constraints, which do no harm
// behind them.
func firstWords(items [][]token) []string {
	var words []string
	for _, item := range items {
		if len(item) > 0 {
			words = append(words, item[0].text)
		}
	}
	return words
}

// maxColumns bounds the columns of a table.
const maxColumns = 100

// arrange gives what adds a row to a table, with the columns of the statement if
// it names them. The rows of a table have the same columns, so one whose
// statements name others has all of them. Other tables get no rows.
func (d *dump) arrange(name string, columns []string) func(values []string) {
	if name != functionTable && name != bytecodeTable {
		return func([]string) {}
	}
	t := d.tables[name]
	if t == nil {
		t = new(table)
		d.tables[name] = t
	}
	if columns == nil {
		columns = t.columns
	}
	places := make([]int, len(columns))
	for i, c := range columns {
		if t.column(c) < 0 && len(t.columns) < maxColumns {
			t.columns = append(t.columns, c)
		}
		places[i] = t.column(c)
	}
	return func(values []string) {
		if len(t.rows) > maxRows { // which is refused
			return
		}
		row := make([]string, len(t.columns))
		for i, v := range values {
			if i < len(places) && places[i] >= 0 {
				row[places[i]] = v
			}
		}
		t.rows = append(t.rows, row)
	}
}

// into reads INTO table (columns) and gives the token behind.
func (d *dump) into() (name string, columns []string, behind token, err error) {
	name, behind, err = d.name()
	if err == nil && behind.is("(") {
		var items [][]token
		if items, err = d.list(); err == nil {
			columns = firstWords(items)
			behind, err = d.next()
		}
	}
	return name, columns, behind, err
}

func (d *dump) insert() error {
	t, err := d.next()
	for ; err == nil && !t.is("INTO"); t, err = d.next() {
		if t.is(";") || t == (token{}) {
			return nil
		}
	}
	if err != nil {
		return err
	}
	name, columns, behind, err := d.into()
	if err != nil || !behind.is("VALUES") {
		return errors.Join(err, d.finish(behind))
	}
	add := d.arrange(name, columns)
	for {
		if t, err = d.next(); err != nil || !t.is("(") && !t.is(",") {
			return errors.Join(err, d.finish(t))
		}
		if t.is(",") {
			continue
		}
		items, err := d.list()
		if err != nil {
			return err
		}
		values := make([]string, len(items))
		for i, item := range items {
			// What is computed stays empty; a cast behind a text does not matter.
			if len(item) > 0 && (item[0].quoted || len(item) == 1 && !item[0].is("NULL")) {
				values[i] = item[0].text
			}
		}
		add(values)
	}
}

// copied reads COPY table (columns) FROM stdin; and the lines that follow.
func (d *dump) copied() error {
	name, columns, behind, err := d.into()
	if err != nil {
		return err
	}
	source, err := d.next()
	if err != nil || !behind.is("FROM") || !source.is("stdin") {
		return errors.Join(err, d.finish(source))
	}
	if err := d.finish(source); err != nil {
		return err
	}
	d.at += lineLength(d.text[d.at:]) // the rest of the statement's line
	add := d.arrange(name, columns)
	for d.at < len(d.text) {
		length := lineLength(d.text[d.at:])
		line := strings.TrimRight(d.text[d.at:d.at+length], "\r\n")
		d.at += length
		if line == `\.` {
			return nil
		}
		cells := strings.Split(line, "\t")
		for i, cell := range cells {
			cells[i] = copyCell(cell)
		}
		add(cells)
	}
	return errUnfinished
}

// copyCell undoes the escapes of COPY's text format.
func copyCell(cell string) string {
	if cell == `\N` {
		return ""
	}
	if !strings.Contains(cell, `\`) {
		return cell
	}
	var b strings.Builder
	for i := 0; i < len(cell); i++ {
		c := cell[i]
		if c == '\\' && i+1 < len(cell) {
			i++
			c = cell[i]
			if meant, ok := escapes[c]; ok {
				c = meant
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}
