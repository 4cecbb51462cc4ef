package config

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// yamlLine finds the line in an error of the parser, which has no better form.
var yamlLine = regexp.MustCompile(`^yaml: (?:line ([0-9]+): )?(.*)$`)

// walkYAML reads one YAML document. Nodes are read instead of values because they
// know their lines.
func (f *file) walkYAML(content []byte) error {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var document, second yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return yamlError(err)
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		return &syntaxError{second.Line, "a file holds one document"}
	case !errors.Is(err, io.EOF):
		return yamlError(err)
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode && root.ShortTag() != "!!null" {
		return &syntaxError{root.Line, "the file does not hold keys with values"}
	}
	f.yamlNode("", root)
	return nil
}

func yamlError(err error) error {
	m := yamlLine.FindStringSubmatch(err.Error())
	if m == nil {
		return &syntaxError{1, "no YAML: " + err.Error()}
	}
	line, _ := strconv.Atoi(m[1])
	return &syntaxError{max(line, 1), "no YAML: " + m[2]}
}

func (f *file) yamlNode(name string, node *yaml.Node) {
	switch node.Kind {
	case yaml.MappingNode:
		if len(node.Content) == 0 {
			f.empty(name, node.Line)
		}
		seen := names{}
		for i := 0; i+1 < len(node.Content); i += 2 {
			key := node.Content[i]
			if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge" {
				f.fault(name, key.Line, "a key must be a plain text")
				continue
			}
			if member, fresh := f.enter(seen, name, key.Value, key.Line); fresh {
				f.yamlNode(member, node.Content[i+1])
			}
		}
	case yaml.SequenceNode:
		items := make([]string, len(node.Content))
		for i, item := range node.Content {
			if item.Kind != yaml.ScalarNode {
				f.fault(name, item.Line, "an item of a list must be a text")
				return
			}
			items[i] = item.Value
		}
		f.set(name, node.Line, true, items...)
	case yaml.ScalarNode:
		if node.ShortTag() == "!!null" {
			f.empty(name, node.Line)
			return
		}
		f.set(name, node.Line, false, node.Value)
	default:
		f.fault(name, node.Line, "aliases are not read; write the value")
	}
}
