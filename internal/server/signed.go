package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/avapd/avapd/internal/auth"
	"github.com/avapd/avapd/internal/diag"
)

const (
	headerSignatureInput = "Signature-Input"
	// onceTime is how long asking the other servers may take.
	onceTime = 250 * time.Millisecond
)

// signature finds whose signature a request carries.
func (s *Server) signature(c *fiber.Ctx) (*auth.Principal, error) {
	if s.commands == nil {
		return nil, noToken()
	}
	now := time.Now()
	key, err := s.commands.State().Clients().BySignature(s.message(c), now, s.settings.Load().SignatureWindow(), func(nonce string, until time.Time) error {
		return s.useOnce(nonce, now, until)
	})
	s.metrics.Authenticated(string(auth.KindSignature), err == nil)
	switch {
	case err == nil:
		s.commands.Used(key.Name, now)
		return key.Principal(), nil
	case errors.Is(err, auth.ErrTooMany):
		p := newProblem(http.StatusServiceUnavailable, diag.NoCapacity, "there are %s within their time, which is auth.signature_nonces", err)
		p.retryAfterS = 1
		return nil, p
	}
	refused, ok := errors.AsType[*auth.SignatureError](err)
	if !ok {
		return nil, internalProblem(err)
	}
	return nil, s.unknown(c, refused.Why)
}

// signatureOf finds whose signature a header carries whose body has not come, or
// nil. Whether the body is what was signed, and comes for the first time, is
// found out when it is there.
func (s *Server) signatureOf(header *fasthttp.RequestHeader, overTLS bool) *auth.Principal {
	if s.commands == nil {
		return nil
	}
	m := s.messageOf(header, header.Host(), overTLS)
	m.Path, m.Query, _ = strings.Cut(string(header.RequestURI()), "?")
	key := s.commands.State().Clients().ByHeader(m, time.Now(), s.settings.Load().SignatureWindow())
	if key == nil {
		return nil
	}
	return key.Principal()
}

// message is a request as the client has sent it, under the name that it knows.
func (s *Server) message(c *fiber.Ctx) *auth.Message {
	m := s.messageOf(&c.Request().Header, c.Request().Host(), c.Context().IsTLS())
	m.Body = c.Request().Body()
	m.Path, m.Query = string(c.Context().URI().PathOriginal()), string(c.Context().URI().QueryString())
	return m
}

// messageOf is what a header tells but for the target.
func (s *Server) messageOf(header *fasthttp.RequestHeader, authority []byte, overTLS bool) *auth.Message {
	m := &auth.Message{
		Method: string(header.Method()), Scheme: "http", Authority: string(authority),
		Field: func(name string) []string {
			var lines []string
			for _, line := range header.PeekAll(name) {
				lines = append(lines, string(line))
			}
			return lines
		},
	}
	if overTLS {
		m.Scheme = "https"
	}
	if public := s.settings.Load().Auth.PublicURL; public != "" {
		scheme, authority, _ := strings.Cut(public, "://")
		m.Scheme, m.Authority = scheme, strings.TrimSuffix(authority, "/")
	}
	return m
}

// useOnce notes a nonce, here and, where there is a place for that, for all
// servers. While that place is away each server has its own memory alone.
func (s *Server) useOnce(nonce string, now, until time.Time) error {
	err := s.nonces.Use(nonce, now, until)
	if err != nil || s.once == nil {
		return err //nolint:wrapcheck // the caller words it
	}
	ctx, cancel := context.WithTimeout(context.Background(), onceTime)
	defer cancel()
	first, err := s.once(ctx, nonce, until.Sub(now))
	if was := s.alone.Swap(err != nil); was != (err != nil) {
		s.log.LogAttrs(ctx, slog.LevelWarn, "nonces of signed requests", slog.Bool("shared", err == nil), slog.Any("error", err))
	}
	if err == nil && !first {
		return auth.ErrReplayed
	}
	return nil
}
