package server

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"
	"github.com/valyala/fasthttp"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
)

// bodyKind says how the text of a body is to be read.
type bodyKind int

const (
	bodyJSON bodyKind = iota
	bodyURLForm
	bodyMultipart
)

// contentType is the text of the header, which lives as long as the request.
func contentType(c *fiber.Ctx) string { return utils.UnsafeString(c.Request().Header.ContentType()) }

// contentKind looks at the content type. A body without one, of plain text or
// of unnamed bytes counts as JSON. So does a body that claims to be a form and
// begins with a brace, or is an array of JSON, which is what curl -d sends when
// its user names no type; in a real form a brace is percent-encoded.
func contentKind(header string, body []byte) (kind bodyKind, boundary string, err error) {
	if header == "" || header == fiber.MIMEApplicationJSON {
		return bodyJSON, "", nil
	}
	media, parameters, err := mediaType(header)
	if err != nil {
		return 0, "", err
	}
	switch {
	case media == fiber.MIMEApplicationForm:
		if first := bytes.TrimLeft(body, " \t\r\n"); len(first) > 0 && (first[0] == '{' || first[0] == '[' && jsontext.Value(first).IsValid()) {
			return bodyJSON, "", nil
		}
		return bodyURLForm, "", nil
	case media == fiber.MIMEMultipartForm:
		return bodyMultipart, parameters["boundary"], nil
	case media == fiber.MIMEApplicationJSON, media == fiber.MIMETextPlain, media == fiber.MIMEOctetStream, strings.HasSuffix(media, "+json"):
		return bodyJSON, "", nil
	}
	return 0, "", newProblem(http.StatusUnsupportedMediaType, diag.BadBodyType, "the content type %q is not supported", printable(media))
}

// mediaType takes a content type apart, if there is one, and refuses texts that
// are not UTF-8.
func mediaType(header string) (media string, parameters map[string]string, err error) {
	if header == "" {
		return "", nil, nil
	}
	media, parameters, err = mime.ParseMediaType(header)
	if err != nil {
		return "", nil, newProblem(http.StatusUnsupportedMediaType, diag.BadBodyType, "the content type %q is not well-formed", printable(header))
	}
	if charset := strings.ToLower(parameters["charset"]); charset != "" && charset != "utf-8" && charset != "us-ascii" {
		return "", nil, newProblem(http.StatusUnsupportedMediaType, diag.BadCharset, "the body must be UTF-8, not %s", printable(charset))
	}
	return media, parameters, nil
}

// readBody gives the request's body without its content encoding. The bytes
// are valid until release is called, or until the handler returns.
func readBody(c *fiber.Ctx) (body []byte, release func(), err error) {
	return readBodyWithin(c, c.App().Config().BodyLimit)
}

// readBodyWithin is readBody with another limit on what comes out.
func readBodyWithin(c *fiber.Ctx, limit int) (body []byte, release func(), err error) {
	encodings := c.Request().Header.PeekAll(fiber.HeaderContentEncoding)
	raw := c.BodyRaw()
	if len(encodings) == 0 {
		return raw, func() {}, nil
	}
	name := strings.ToLower(string(bytes.Join(encodings, []byte(", "))))
	switch name {
	case "", "identity":
		return raw, func() {}, nil
	case "gzip", "x-gzip":
		return gunzip(raw, limit)
	}
	c.Response().Header.Set(fiber.HeaderAcceptEncoding, "gzip")
	return nil, nil, newProblem(http.StatusUnsupportedMediaType, diag.BadBodyType, "the content encoding %q is not supported", printable(name))
}

// inflater is a reusable gzip reader with its output.
type inflater struct {
	in     bytes.Reader
	reader gzip.Reader
	out    bytes.Buffer
}

var inflaters = sync.Pool{New: func() any { return new(inflater) }}

// maxKeptBytes is the largest buffer that goes back into a pool.
const maxKeptBytes = 1 << 20

// gunzip decompresses at most limit bytes; what is longer is refused as soon
// as that is known.
func gunzip(raw []byte, limit int) (body []byte, release func(), err error) {
	z, _ := inflaters.Get().(*inflater)
	release = func() {
		z.in.Reset(nil)
		if z.out.Cap() <= maxKeptBytes {
			inflaters.Put(z)
		}
	}
	z.in.Reset(raw)
	z.out.Reset()
	if err = z.reader.Reset(&z.in); err == nil {
		_, err = z.out.ReadFrom(io.LimitReader(&z.reader, int64(limit)+1))
	}
	switch {
	case err != nil:
		p := newProblem(http.StatusBadRequest, diag.BadRequest, "the body is not valid gzip, as its content encoding says")
		p.cause = err
		err = p
	case z.out.Len() > limit:
		err = newProblem(http.StatusRequestEntityTooLarge, diag.RequestTooLarge, "the decompressed body is larger than the limit of %d bytes", limit)
	default:
		return z.out.Bytes(), release, nil
	}
	release()
	return nil, nil, err
}

// maxPairs bounds how many fields a query string or form may have.
const maxPairs = 10_000

func tooManyPairs() error {
	return newProblem(http.StatusRequestEntityTooLarge, diag.RequestTooLarge, "there are more than %d parameters or fields", maxPairs)
}

// queryPairs reads the query string, in order of arrival. The texts are
// copied: they live as long as the execution likes.
func queryPairs(c *fiber.Ctx) ([]engine.Pair, error) {
	if len(c.Request().URI().QueryString()) == 0 {
		return nil, nil
	}
	return argPairs(c.Request().URI().QueryArgs())
}

func argPairs(args *fasthttp.Args) ([]engine.Pair, error) {
	if args.Len() > maxPairs {
		return nil, tooManyPairs()
	}
	pairs := make([]engine.Pair, 0, args.Len())
	for name, value := range args.All() {
		pairs = append(pairs, engine.Pair{Name: cleanText(name), Value: cleanText(value)})
	}
	return pairs, nil
}

// cleanText copies text and makes it valid: percent-encoding can spell bytes
// that are no UTF-8, which a script cannot hold.
func cleanText(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return strings.ToValidUTF8(string(b), "\ufffd")
}

// formPairs reads the fields of a form, in order of arrival.
func formPairs(kind bodyKind, boundary string, body []byte) ([]engine.Pair, error) {
	if kind == bodyMultipart {
		return multipartPairs(body, boundary)
	}
	if bytes.Count(body, []byte("&")) >= maxPairs {
		return nil, tooManyPairs()
	}
	// fasthttp's own reader would forgive broken escapes.
	if _, err := url.ParseQuery(string(body)); err != nil {
		p := newProblem(http.StatusBadRequest, diag.BadRequest, "the form is not well-formed: %s", printable(err.Error()))
		p.cause = err
		return nil, p
	}
	var args fasthttp.Args
	args.ParseBytes(body)
	return argPairs(&args)
}

// multipartPairs reads fields only; it stores nothing on disk. Go's reader
// bounds the headers of a part, and the body's own size bounds the rest.
func multipartPairs(body []byte, boundary string) ([]engine.Pair, error) {
	bad := func(err error) error {
		p := newProblem(http.StatusBadRequest, diag.BadRequest, "the multipart form is not well-formed")
		p.cause = err
		return p
	}
	if boundary == "" {
		return nil, bad(errors.New("no boundary"))
	}
	var pairs []engine.Pair
	reader := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			return pairs, nil
		}
		if err != nil {
			return nil, bad(err)
		}
		if part.FileName() != "" {
			return nil, newProblem(http.StatusUnsupportedMediaType, diag.BadBodyType, "the form field %q is a file; files are not accepted", printable(part.FormName()))
		}
		if len(pairs) == maxPairs {
			return nil, tooManyPairs()
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return nil, bad(err)
		}
		pairs = append(pairs, engine.Pair{Name: cleanText([]byte(part.FormName())), Value: cleanText(value)})
	}
}

// decodeForm reads what a form has in place of JSON members into c: the
// script as it is, the others as JSON text. It returns the fields that are
// parameters.
func (s *Server) decodeForm(fields []engine.Pair, c *call) ([]engine.Pair, error) {
	for _, field := range fields {
		switch field.Name {
		case memberScript:
			c.script, c.hasScript = field.Value, true
		case memberVariables, memberLimits, memberLogs, memberEcho:
			if err := s.decodeField(field, c); err != nil {
				return nil, err
			}
		}
	}
	return slices.DeleteFunc(fields, func(p engine.Pair) bool {
		return p.Name == memberScript || p.Name == memberVariables
	}), nil
}

// decodeField reads a field of a form that is a member written as JSON.
func (s *Server) decodeField(field engine.Pair, c *call) error {
	d := newDecoder([]byte(field.Value))
	return d.end(s.decodeMember(&d, field.Name, c), "there is text after the JSON value in the form field "+field.Name)
}
