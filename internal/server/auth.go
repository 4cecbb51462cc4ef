package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/avapd/avapd/internal/diag"
)

// RequireToken is the middleware of every route that stores something. It asks for
// the token with every request, for that may change; without one it refuses
// everyone.
//
// Digests are compared, so that neither content nor length of the token shows
// in the time it takes.
func RequireToken(current func() string) fiber.Handler {
	return func(c *fiber.Ctx) error {
		token := current()
		want := sha256.Sum256([]byte(token))
		if token == "" {
			return newProblem(http.StatusForbidden, diag.Forbidden, "this route needs a server that has a token; set admin.token_file")
		}
		scheme, given, _ := strings.Cut(c.Get(fiber.HeaderAuthorization), " ")
		have := sha256.Sum256([]byte(given))
		if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(want[:], have[:]) != 1 {
			c.Response().Header.Set(fiber.HeaderWWWAuthenticate, `Bearer realm="avap"`)
			return newProblem(http.StatusUnauthorized, diag.Unauthorized, "the token is missing or wrong")
		}
		return c.Next()
	}
}
