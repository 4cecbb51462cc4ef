package datasource

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
)

// postgresValue reads a value in the server's text form.
func postgresValue(oid uint32, raw []byte) any {
	if raw == nil {
		return nil
	}
	text := string(raw)
	if element, isArray := arrayElements[oid]; isArray {
		if list, ok := parseArray(text, element); ok {
			return list
		}
		return text
	}
	switch oid {
	case pgtype.BoolOID:
		return text == "t"
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.OIDOID:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
	case pgtype.Float4OID, pgtype.Float8OID:
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return f
		}
	case pgtype.NumericOID:
		return exactNumber(text)
	case pgtype.JSONOID, pgtype.JSONBOID:
		return decodeJSON(text)
	case pgtype.TimestampOID, pgtype.TimestamptzOID:
		return isoTimestamp(text)
	case pgtype.ByteaOID:
		if data, err := hex.DecodeString(strings.TrimPrefix(text, `\x`)); err == nil {
			return base64.StdEncoding.EncodeToString(data)
		}
	}
	return text
}

// arrayElements gives the types of arrays' elements.
var arrayElements = map[uint32]uint32{
	pgtype.BoolArrayOID: pgtype.BoolOID, pgtype.Int2ArrayOID: pgtype.Int2OID, pgtype.Int4ArrayOID: pgtype.Int4OID,
	pgtype.Int8ArrayOID: pgtype.Int8OID, pgtype.Float4ArrayOID: pgtype.Float4OID, pgtype.Float8ArrayOID: pgtype.Float8OID,
	pgtype.NumericArrayOID: pgtype.NumericOID, pgtype.TextArrayOID: pgtype.TextOID, pgtype.VarcharArrayOID: pgtype.VarcharOID,
	pgtype.BPCharArrayOID: pgtype.BPCharOID, pgtype.NameArrayOID: pgtype.NameOID, pgtype.UUIDArrayOID: pgtype.UUIDOID,
	pgtype.DateArrayOID: pgtype.DateOID, pgtype.TimeArrayOID: pgtype.TimeOID, pgtype.TimestampArrayOID: pgtype.TimestampOID,
	pgtype.TimestamptzArrayOID: pgtype.TimestamptzOID, pgtype.JSONArrayOID: pgtype.JSONOID, pgtype.JSONBArrayOID: pgtype.JSONBOID,
	pgtype.ByteaArrayOID: pgtype.ByteaOID,
}

// parseArray reads {1,NULL,"a b",{…}}. Bounds that do not start at one, which
// lead such a text, are dropped.
func parseArray(text string, element uint32) ([]any, bool) {
	if strings.HasPrefix(text, "[") {
		_, rest, found := strings.Cut(text, "=")
		if !found {
			return nil, false
		}
		text = rest
	}
	p := arrayParser{text: text, element: element}
	list, ok := p.list(0)
	return list, ok && p.at == len(text)
}

type arrayParser struct {
	text    string
	at      int
	element uint32
}

// maxArrayDepth is PostgreSQL's own bound.
const maxArrayDepth = 6

func (p *arrayParser) next() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *arrayParser) list(depth int) ([]any, bool) {
	if p.next() != '{' || depth > maxArrayDepth {
		return nil, false
	}
	p.at++
	list := []any{}
	if p.next() == '}' {
		p.at++
		return list, true
	}
	for {
		item, ok := p.item(depth)
		if !ok {
			return nil, false
		}
		list = append(list, item)
		end := p.next()
		p.at++
		if end == '}' {
			return list, true
		}
		if end != ',' {
			return nil, false
		}
	}
}

func (p *arrayParser) item(depth int) (any, bool) {
	if p.next() == '{' {
		return p.list(depth + 1)
	}
	if p.next() != '"' {
		start := p.at
		for p.at < len(p.text) && p.text[p.at] != ',' && p.text[p.at] != '}' {
			p.at++
		}
		word := p.text[start:p.at]
		if word == "NULL" {
			return nil, true
		}
		return postgresValue(p.element, []byte(word)), word != ""
	}
	content := []byte{}
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; c {
		case '"':
			p.at++
			return postgresValue(p.element, content), true
		case '\\':
			p.at++
			content = append(content, p.next())
		default:
			content = append(content, c)
		}
	}
	return nil, false
}
