package config

import (
	"errors"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// walkTOML reads a TOML document twice: the decoder holds it to the rules of the
// format, the parser below it knows the lines.
func (f *file) walkTOML(content []byte) error {
	var p unstable.Parser
	p.Reset(content)
	table := ""
	for p.NextExpression() {
		switch e := p.Expression(); e.Kind {
		case unstable.Table:
			table, _ = tomlName(&p, "", e)
		case unstable.ArrayTable:
			name, line := tomlName(&p, "", e)
			return &syntaxError{line, name + " is a list of tables, which no setting is"}
		case unstable.KeyValue:
			f.tomlKey(&p, table, e)
		}
	}
	var document map[string]any
	err := toml.Unmarshal(content, &document)
	if err == nil {
		return nil
	}
	if at, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, _ := at.Position()
		if f.isTold(line) {
			return nil
		}
		return &syntaxError{line, "no TOML: " + strings.TrimPrefix(at.Error(), "toml: ")}
	}
	return &syntaxError{1, "no TOML: " + strings.TrimPrefix(err.Error(), "toml: ")}
}

// tomlName joins the parts of a name and gives its line.
func tomlName(p *unstable.Parser, group string, node *unstable.Node) (string, int) {
	line := 0
	for parts := node.Key(); parts.Next(); {
		if group != "" {
			group += "."
		}
		group += string(parts.Node().Data)
		line = p.Shape(parts.Node().Raw).Start.Line
	}
	return group, line
}

func (f *file) tomlKey(p *unstable.Parser, group string, node *unstable.Node) {
	name, line := tomlName(p, group, node)
	switch value := node.Value(); value.Kind {
	case unstable.InlineTable:
		members := value.Children()
		for members.Next() {
			f.tomlKey(p, name, members.Node())
		}
	case unstable.Array:
		var items []string
		for children := value.Children(); children.Next(); {
			item := children.Node()
			if item.Kind == unstable.Comment {
				continue
			}
			if item.Kind == unstable.Array || item.Kind == unstable.InlineTable {
				f.fault(name, line, "an item of a list must be a text")
				return
			}
			items = append(items, tomlText(item))
		}
		f.set(name, line, true, items...)
	default:
		f.set(name, line, false, tomlText(value))
	}
}

// tomlText gives a value as text. A whole number may be written with
// underscores, or to another base.
func tomlText(node *unstable.Node) string {
	text := string(node.Data)
	if node.Kind == unstable.Integer {
		if n, err := strconv.ParseInt(text, 0, 64); err == nil {
			return strconv.FormatInt(n, 10)
		}
	}
	return text
}
