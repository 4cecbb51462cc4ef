package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"net/http"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/avapd/avapd/internal/auth"
	"github.com/avapd/avapd/internal/diag"
)

// authenticate finds out who asks. Credentials that are wrong are refused
// wherever they are shown: whoever shows some believes to be known.
func (s *Server) authenticate(c *fiber.Ctx) error {
	if s.open[c.Path()] {
		return c.Next()
	}
	principal, err := s.whoAsks(c)
	if err != nil {
		return err
	}
	noteOf(c).principal = principal
	return c.Next()
}

func (s *Server) whoAsks(c *fiber.Ctx) (*auth.Principal, error) {
	header := c.Request().Header.PeekCanonical(keyAuthorization)
	if len(header) == 0 {
		if len(c.Request().Header.PeekCanonical(keySignatureInput)) > 0 {
			return s.signature(c)
		}
		if shown := certificateOf(c.Context()); shown != nil {
			return s.certificate(c, shown)
		}
		return s.stranger(c)
	}
	principal := s.bearer(string(header))
	if principal != nil {
		s.metrics.Authenticated(string(principal.Kind), true)
		return principal, nil
	}
	s.metrics.Authenticated(bearer, false)
	return nil, s.unknown(c, "the key or token is not valid")
}

// unknown is the answer to credentials that are not known.
func (s *Server) unknown(c *fiber.Ctx, message string) error {
	switch {
	case !s.knowsAnybody():
		return noToken()
	case s.commands != nil && !s.commands.Settled():
		p := newProblem(http.StatusServiceUnavailable, diag.StoreUnavailable, "it is not known yet which keys there are: the primary store has never answered this server")
		p.retryAfterS = 1
		return p
	}
	return unauthorized(c, message)
}

// certificate finds whose certificate a client showed when it connected. That
// somebody vouches for it was found out then; it may have expired since.
func (s *Server) certificate(c *fiber.Ctx, shown *x509.Certificate) (*auth.Principal, error) {
	now := time.Now()
	if key := s.certified(shown, now); key != nil {
		s.commands.Used(key.Name, now)
		s.metrics.Authenticated(string(auth.KindCertificate), true)
		return key.Principal(), nil
	}
	s.metrics.Authenticated(string(auth.KindCertificate), false)
	return nil, s.unknown(c, "the certificate is not one that is known here")
}

// certificateOf is what a client showed when it connected, or nil.
func certificateOf(ctx *fasthttp.RequestCtx) *x509.Certificate {
	if state := ctx.TLSConnectionState(); state != nil && len(state.PeerCertificates) > 0 {
		return state.PeerCertificates[0]
	}
	return nil
}

// certified finds whose certificate it is, or nil.
func (s *Server) certified(shown *x509.Certificate, now time.Time) *auth.Key {
	if s.commands == nil || !now.Before(shown.NotAfter) {
		return nil
	}
	state := s.commands.State()
	for _, name := range auth.CertificateNames(shown) {
		if key := state.ClientBySubject(name); key != nil && key.Holds(now) {
			return key
		}
	}
	return nil
}

// stranger is who shows nothing, if such are answered.
func (s *Server) stranger(c *fiber.Ctx) (*auth.Principal, error) {
	strangers := s.strangers.Load()
	why := strangers.refusal(c.Context(), c.Request().Host())
	s.metrics.Authenticated(string(auth.KindAnonymous), why == "")
	if why != "" {
		return nil, unauthorized(c, why)
	}
	return strangers.principal, nil
}

// bearer is what counts failed attempts with secrets and tokens, which may have
// been meant as either.
const bearer = "bearer"

// bearer finds whose token or secret a header shows, or nil.
func (s *Server) bearer(header string) *auth.Principal {
	scheme, given, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, bearer) {
		return nil
	}
	given = strings.TrimLeft(given, " ") // RFC 9110 lets there be several
	if isToken(given, s.settings.Load().Admin.Token) {
		return auth.Admin
	}
	if s.commands == nil {
		return nil
	}
	now := time.Now()
	key := s.commands.State().Clients().BySecret(given, now)
	if key == nil {
		return nil
	}
	s.commands.Used(key.Name, now)
	return key.Principal()
}

// isToken compares digests, so that neither content nor length of the token
// shows in the time it takes.
func isToken(given, token string) bool {
	have, want := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(have[:], want[:]) == 1 && token != ""
}

// knowsAnybody tells whether there are credentials that this server would take.
func (s *Server) knowsAnybody() bool {
	return s.settings.Load().Admin.Token != "" || s.commands != nil && len(s.commands.State().Clients()) > 0
}

// noToken says why nobody can be known to this server.
func noToken() error {
	return newProblem(http.StatusForbidden, diag.Forbidden, "the server has no token, which this needs; set admin.token_file")
}

func unauthorized(c *fiber.Ctx, message string) error {
	c.Response().Header.Set(fiber.HeaderWWWAuthenticate, `Bearer realm="avap"`)
	return newProblem(http.StatusUnauthorized, diag.Unauthorized, "%s", message)
}

// permit refuses who does not have the scope of a route.
func (s *Server) permit(c *fiber.Ctx, need auth.Scope) error {
	principal := noteOf(c).principal
	switch {
	case need == 0, principal.May(need):
		return nil
	case !principal.IsAnonymous():
		return newProblem(http.StatusForbidden, diag.ScopeMissing, "%s does not have the scope %s", principal.ID, need)
	case !s.knowsAnybody():
		return noToken()
	}
	return unauthorized(c, "this is for those who have the scope "+need.String())
}

// permitName refuses who may run and change only commands of other names. The
// name of a script is empty.
func permitName(c *fiber.Ctx, name string) error { return mayUse(noteOf(c).principal, name) }

func mayUse(principal *auth.Principal, name string) error {
	if principal.MayUse(name) {
		return nil
	}
	what := "the command " + printable(name)
	if name == "" {
		what = "scripts and apps"
	}
	return newProblem(http.StatusForbidden, diag.ScopeMissing, "%s is for commands whose names begin with %s, not for %s", principal.ID, strings.Join(principal.Prefixes, " or "), what)
}

// changer is who a change is noted for.
func changer(c *fiber.Ctx) string { return noteOf(c).principal.ID }
