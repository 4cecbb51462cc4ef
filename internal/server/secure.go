package server

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/diag"
)

// securityHeaders are in every answer. The answers are documents for programs: a
// browser is to show none of them as a page, guess no type, tell nobody where it
// came from, and let no other site put one into a page of its own.
var securityHeaders = [...]struct{ name, value []byte }{
	{[]byte(fiber.HeaderXContentTypeOptions), []byte("nosniff")},
	{[]byte(fiber.HeaderContentSecurityPolicy), []byte("default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")},
	{[]byte(fiber.HeaderReferrerPolicy), []byte("no-referrer")},
	{[]byte("Cross-Origin-Resource-Policy"), []byte("same-origin")},
	{[]byte(fiber.HeaderXFrameOptions), []byte("DENY")},
}

// secure sets the headers that tell browsers what not to do, and decides about
// requests that pages make them send. A handler whose answer is a page sets a
// policy of its own.
func (s *Server) secure(c *fiber.Ctx) error {
	s.setSecurityHeaders(c)
	settings := s.settings.Load()
	if len(settings.CORS.Origins) == 0 && c.Method() != fiber.MethodOptions {
		return guard(c, false)
	}
	return crossOrigin(c, settings)
}

func (s *Server) setSecurityHeaders(c *fiber.Ctx) {
	header := &c.Response().Header
	for i := range securityHeaders {
		header.SetCanonical(securityHeaders[i].name, securityHeaders[i].value)
	}
	if maxAge := s.settings.Load().HTTP.HSTSSeconds; maxAge > 0 && c.Context().IsTLS() {
		header.Set(fiber.HeaderStrictTransportSecurity, "max-age="+strconv.FormatInt(maxAge, 10))
	}
}

// What a page of an allowed origin may send and read, beyond what every page may.
var (
	corsMethods = strings.Join([]string{fiber.MethodGet, fiber.MethodHead, fiber.MethodPost, fiber.MethodPut, fiber.MethodPatch, fiber.MethodDelete}, ", ")
	corsHeaders = strings.Join([]string{
		fiber.HeaderAuthorization, fiber.HeaderContentType, fiber.HeaderContentEncoding, fiber.HeaderIfNoneMatch,
		headerIdempotencyKey, fiber.HeaderXRequestID, "Traceparent", "Tracestate", "Content-Digest", "Signature", "Signature-Input",
	}, ", ")
	corsExposed = strings.Join([]string{
		api.HeaderExecution, fiber.HeaderXRequestID, fiber.HeaderRetryAfter, fiber.HeaderETag, fiber.HeaderLocation,
		headerRateLimit, headerRateLimitPolicy, headerReplayed, fiber.HeaderWWWAuthenticate,
	}, ", ")
)

// crossOrigin is the server's part of the CORS protocol of the Fetch standard.
// Credentials that browsers add by themselves, such as cookies, mean nothing here,
// so pages are never allowed to send any.
func crossOrigin(c *fiber.Ctx, settings *config.Config) error {
	origin := c.Get(fiber.HeaderOrigin)
	all := slices.Contains(settings.CORS.Origins, "*")
	allowed := origin != "" && (all || slices.Contains(settings.CORS.Origins, origin))
	header := &c.Response().Header
	if len(settings.CORS.Origins) > 0 && !all {
		header.Add(fiber.HeaderVary, fiber.HeaderOrigin)
	}
	if allowed {
		header.Set(fiber.HeaderAccessControlAllowOrigin, origin)
		if all {
			header.Set(fiber.HeaderAccessControlAllowOrigin, "*")
		}
		header.Set(fiber.HeaderAccessControlExposeHeaders, corsExposed)
	}
	if c.Method() == fiber.MethodOptions && origin != "" && c.Get(fiber.HeaderAccessControlRequestMethod) != "" {
		return preflight(c, settings, allowed)
	}
	return guard(c, allowed)
}

// preflight answers the question of a browser whether a page may send a request.
// Whether there is a route for it shows when it comes.
func preflight(c *fiber.Ctx, settings *config.Config, allowed bool) error {
	if !allowed {
		return crossSite()
	}
	header := &c.Response().Header
	header.Set(fiber.HeaderAccessControlAllowMethods, corsMethods)
	header.Set(fiber.HeaderAccessControlAllowHeaders, corsHeaders)
	header.Set(fiber.HeaderAccessControlMaxAge, strconv.FormatInt(settings.CORS.MaxAgeSeconds, 10))
	header.SetNoDefaultContentType(true)
	return c.SendStatus(http.StatusNoContent)
}

// guard refuses requests that a web page of another site makes a browser send,
// unless its origin is allowed. A server on 127.0.0.1 can be reached by every page
// its user opens; without this any of them could run scripts. Programs send
// neither of these headers.
func guard(c *fiber.Ctx, allowed bool) error {
	switch c.Method() {
	case fiber.MethodGet, fiber.MethodHead, fiber.MethodOptions:
		return c.Next()
	}
	if allowed {
		return c.Next()
	}
	switch string(c.Request().Header.PeekCanonical(keySecFetchSite)) {
	case "", "none", "same-origin":
	default:
		return crossSite()
	}
	if origin := c.Request().Header.PeekCanonical(keyOrigin); len(origin) > 0 {
		if u, err := url.Parse(string(origin)); err != nil || u.Host != string(c.Request().Host()) {
			return crossSite()
		}
	}
	return c.Next()
}

func crossSite() error {
	return newProblem(http.StatusForbidden, diag.CrossSite, "the request comes from a page of another site, which cors.origins does not allow")
}
