package server

import (
	"bytes"
	"errors"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/diag"
)

// checkComplexity refuses a JSON body that is nested too deeply or has too many
// members, before anything is made of it, and one whose objects have a name twice
// where that is not allowed. Whether it is JSON at all is for others to find.
func checkComplexity(body []byte, c *config.Config) error {
	if int64(len(body)) > min(c.HTTP.JSONDepth, c.HTTP.JSONMembers*leastMember) {
		if err := countBody(body, c); err != nil {
			return err
		}
	}
	if c.HTTP.JSONDuplicates != config.RefuseDuplicates {
		return nil
	}
	return checkDuplicates(body)
}

// leastMember is how many bytes a member has at least: a name, a colon and a value.
const leastMember = 4

// countBody goes over the structure of the body. Texts are skipped.
func countBody(body []byte, c *config.Config) error {
	var depth, members int64
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '"':
			i = endOfText(body, i)
		case '{', '[':
			if depth++; depth > c.HTTP.JSONDepth {
				return newProblem(http.StatusRequestEntityTooLarge, diag.BodyComplex, "the body is nested more than %d levels deep, which is http.json_depth; at byte %d", c.HTTP.JSONDepth, i)
			}
		case '}', ']':
			depth--
		case ':':
			if members++; members > c.HTTP.JSONMembers {
				return newProblem(http.StatusRequestEntityTooLarge, diag.BodyComplex, "the objects in the body have more than %d members, which is http.json_members; at byte %d", c.HTTP.JSONMembers, i)
			}
		}
	}
	return nil
}

// endOfText gives the place of the quote that ends the text which begins at i, or
// the end of the body.
func endOfText(body []byte, i int) int {
	for i++; i < len(body); i++ {
		next := bytes.IndexByte(body[i:], '"')
		if next < 0 {
			return len(body)
		}
		i += next
		escapes := 0
		for body[i-1-escapes] == '\\' { // the quote that begins it is before them
			escapes++
		}
		if escapes%2 == 0 {
			return i
		}
	}
	return i
}

func checkDuplicates(body []byte) error {
	d := jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowDuplicateNames(false), jsontext.AllowInvalidUTF8(true))
	for {
		_, err := d.ReadToken()
		switch {
		case err == nil:
		case errors.Is(err, jsontext.ErrDuplicateName):
			at := ""
			if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
				at = " at " + printable(string(syntax.JSONPointer))
			}
			p := newProblem(http.StatusBadRequest, diag.DuplicateMember, "the body has a member twice%s", at)
			p.cause = err
			return p
		default: // the end; or it is no JSON, which is said elsewhere
			return nil
		}
	}
}
