package server

import (
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/gofiber/fiber/v2"

	"github.com/avapd/avapd/internal/diag"
)

// messageEmptyBody tells who sent nothing, such as curl -X POST, what is missing.
const messageEmptyBody = "the body is empty; send a JSON object, with Content-Type: application/json"

// readDocument reads a JSON body into a document. A member that the document
// does not have is most likely a typing error, and what it says would be lost.
func readDocument(c *fiber.Ctx, into any) error {
	return decodeDocument(c, into, json.RejectUnknownMembers(true))
}

// readLaxDocument leaves members aside that the document does not have: those of
// another server's clients, to which they mean something.
func readLaxDocument(c *fiber.Ctx, into any) error { return decodeDocument(c, into) }

func decodeDocument(c *fiber.Ctx, into any, options ...json.Options) error {
	body, release, err := readBody(c)
	if err != nil {
		return err
	}
	defer release()
	if len(body) == 0 {
		return newProblem(http.StatusBadRequest, diag.BadJSON, messageEmptyBody)
	}
	kind, _, err := contentKind(contentType(c), body)
	switch {
	case err != nil:
		return err
	case kind != bodyJSON:
		return newProblem(http.StatusUnsupportedMediaType, diag.BadBodyType,
			"the content type of the body is that of a form, which curl -d sends where no other is named; send a JSON object, with Content-Type: application/json")
	}
	if err := json.Unmarshal(body, into, options...); err != nil {
		return documentProblem(err)
	}
	return nil
}

// documentProblem words why JSON is not the document that was expected, in words
// of the document: the types of Go mean nothing to its sender.
func documentProblem(err error) error {
	wrong, ok := errors.AsType[*json.SemanticError](err)
	if !ok || wrong.GoType == nil {
		return jsonProblem(err)
	}
	member := strings.Join(slices.Collect(wrong.JSONPointer.Tokens()), ".")
	if errors.Is(err, json.ErrUnknownName) {
		known := membersOf(wrong.GoType)
		p := newProblem(http.StatusBadRequest, diag.BadFieldValue, "there is no member %s; there are %s", printable(member), strings.Join(known, ", "))
		p.suggestion = diag.DidYouMean(wrong.JSONPointer.LastToken(), known)
		p.cause = err
		return p
	}
	if member == "" {
		member = "the body"
	}
	p := newProblem(http.StatusBadRequest, diag.BadFieldType, "%s must be %s, not %s; at byte %d of the body", printable(member), typeWord(wrong.GoType), cameWord(wrong), wrong.ByteOffset)
	p.cause = err
	return p
}

// cameWord tells what came in place of what was expected: its kind, or the value
// itself where the kind is right.
func cameWord(wrong *json.SemanticError) string {
	switch {
	case wrong.JSONKind == jsontext.KindNumber && wrong.GoType.ConvertibleTo(reflect.TypeFor[float64]()) && len(wrong.JSONValue) > 0:
		return printable(string(wrong.JSONValue))
	case wrong.JSONKind == jsontext.KindString && wrong.GoType == reflect.TypeFor[time.Time]():
		return "other text"
	}
	return kindWord(wrong.JSONKind)
}

// typeWord names what a member of a document can be.
func typeWord(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return "a date such as 2027-01-31T00:00:00Z"
	case t.Kind() == reflect.Pointer:
		return typeWord(t.Elem())
	case t.Kind() == reflect.String:
		return "text"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Slice:
		return "an array"
	case t.Kind() == reflect.Struct, t.Kind() == reflect.Map:
		return "an object"
	}
	return "a whole number"
}

// membersOf are the names that an object can have.
func membersOf(t reflect.Type) []string {
	var names []string
	for _, field := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}
