package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/avapd/avapd/internal/auth"
	"github.com/avapd/avapd/internal/diag"
)

// everybody is who shows no credentials.
var everybody = auth.Anonymous(auth.Execute | auth.Check | auth.ReadCommands | auth.ReadApps | auth.ReadMetrics)

// authenticate finds out who asks. Credentials that are wrong are refused
// wherever they are shown: whoever shows some believes to be known.
func (s *Server) authenticate(c *fiber.Ctx) error {
	principal, err := s.whoAsks(c)
	if err != nil {
		return err
	}
	noteOf(c).principal = principal
	return c.Next()
}

func (s *Server) whoAsks(c *fiber.Ctx) (*auth.Principal, error) {
	header := c.Request().Header.Peek(fiber.HeaderAuthorization)
	if len(header) == 0 {
		return everybody, nil
	}
	token := s.settings.Load().Admin.Token
	if token == "" {
		return nil, noToken()
	}
	scheme, given, _ := strings.Cut(string(header), " ")
	if !strings.EqualFold(scheme, "Bearer") || !isToken(given, token) {
		return nil, unauthorized(c, "the token is wrong")
	}
	return auth.Admin, nil
}

// noToken says why nobody can be known to this server.
func noToken() error {
	return newProblem(http.StatusForbidden, diag.Forbidden, "the server has no token, which this needs; set admin.token_file")
}

// isToken compares digests, so that neither content nor length of the token
// shows in the time it takes.
func isToken(given, token string) bool {
	have, want := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(have[:], want[:]) == 1
}

func unauthorized(c *fiber.Ctx, message string) error {
	c.Response().Header.Set(fiber.HeaderWWWAuthenticate, `Bearer realm="avap"`)
	return newProblem(http.StatusUnauthorized, diag.Unauthorized, "%s", message)
}

// permit refuses who does not have the scope of a route.
func (s *Server) permit(c *fiber.Ctx, need auth.Scope) error {
	principal := noteOf(c).principal
	switch {
	case principal.May(need):
		return nil
	case !principal.IsAnonymous():
		return newProblem(http.StatusForbidden, diag.Forbidden, "%s does not have the scope %s", principal.ID, need)
	case s.settings.Load().Admin.Token == "":
		return noToken()
	}
	return unauthorized(c, "the token is missing")
}

// changer is who a change is noted for.
func changer(c *fiber.Ctx) string { return noteOf(c).principal.ID }
