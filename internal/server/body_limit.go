package server

import (
	"bytes"
	"errors"
	"net/http"
	"time"
	"unsafe"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/avapd/avapd/internal/auth"
)

// strangersBytes is what is read of the body of a request that will be refused for
// who sent it. To less than that it makes no difference who asks.
const strangersBytes = 64 << 10

// bodyLimit lets modules be larger than other bodies, or less large, and bodies of
// those who are refused be small. It is asked before a body is read.
func (s *Server) bodyLimit(header *fasthttp.RequestHeader) fasthttp.RequestConfig {
	limit := s.bodyLimitOf(header.Method(), header.RequestURI())
	if limit > strangersBytes && isLarge(header) && !s.maySend(contextOf(header)) {
		limit = strangersBytes
	}
	return fasthttp.RequestConfig{MaxRequestBodySize: limit}
}

// isLarge tells whether a body may have more than what is read from anybody.
func isLarge(header *fasthttp.RequestHeader) bool {
	const chunked = -1
	length := header.ContentLength()
	return length == chunked || length > strangersBytes
}

// contextOf gives the request that a header is part of. fasthttp tells no more than
// the header before it reads a body, but who showed a certificate, and from where,
// is known of the connection.
func contextOf(header *fasthttp.RequestHeader) *fasthttp.RequestCtx {
	const place = unsafe.Offsetof(fasthttp.RequestCtx{}.Request) + unsafe.Offsetof(fasthttp.Request{}.Header)
	return (*fasthttp.RequestCtx)(unsafe.Add(unsafe.Pointer(header), -int(place)))
}

// maySend looks at the credentials before the body comes. Whether a signature is
// that of the body is found out later.
func (s *Server) maySend(ctx *fasthttp.RequestCtx) bool {
	principal := s.shows(ctx)
	return principal != nil && (!s.isUpload(ctx.Method(), ctx.RequestURI()) || principal.May(auth.WriteCommands))
}

// shows is who asks by what there is before the body, in the order of whoAsks, or
// nil for who will be refused.
func (s *Server) shows(ctx *fasthttp.RequestCtx) *auth.Principal {
	header := &ctx.Request.Header
	if secret := header.Peek(fiber.HeaderAuthorization); len(secret) > 0 {
		return s.bearer(string(secret))
	}
	if len(header.Peek(headerSignatureInput)) > 0 {
		return s.signatureOf(header, ctx.IsTLS())
	}
	if shown := certificateOf(ctx); shown != nil {
		if key := s.certified(shown, time.Now()); key != nil {
			return key.Principal()
		}
		return nil
	}
	strangers := s.strangers.Load()
	if strangers.refusal(ctx, header.Host()) != "" {
		return nil
	}
	return strangers.principal
}

// strangersProblem refuses a request whose body was not read because of who sent
// it.
func (s *Server) strangersProblem(c *fiber.Ctx) *problem {
	ctx := c.Context()
	if s.maySend(ctx) {
		return nil
	}
	principal, err := s.whoAsks(c)
	if err == nil && s.isUpload(ctx.Method(), ctx.RequestURI()) {
		noteOf(c).principal = principal
		err = s.permit(c, auth.WriteCommands)
	}
	p, _ := errors.AsType[*problem](err)
	return p
}

// isUpload tells whether a request stores a version of a command.
func (s *Server) isUpload(method, uri []byte) bool {
	return s.commands != nil && string(method) == http.MethodPut && bytes.HasPrefix(uri, []byte(pathCommands+"/"))
}

func (s *Server) bodyLimitOf(method, uri []byte) int {
	if s.isUpload(method, uri) {
		return int(s.settings.Load().Registry.ArtifactLimitBytes)
	}
	return int(s.settings.Load().HTTP.BodyLimitBytes)
}
