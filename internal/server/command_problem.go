package server

import (
	"errors"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/avapd/avapd/internal/diag"
)

// commandProblem words what the registry refused about a command. With a
// conflict comes what the command is now.
func (s *Server) commandProblem(c *fiber.Ctx, name string, err error) error {
	out := s.registryProblem(c, err)
	p, ok := errors.AsType[*problem](out)
	if !ok {
		return out
	}
	state := s.commands.State()
	command, exists := state.Command(name)
	switch {
	case exists && p.status == http.StatusConflict:
		p.current = new(commandDocument(command))
	case !exists && p.code == diag.NoSuchCommand:
		p.suggestion = diag.DidYouMean(name, namesLike(state, name))
	}
	return p
}

// registryProblem words what the registry refused, or could not do.
func (s *Server) registryProblem(c *fiber.Ctx, err error) error {
	if finding, ok := err.(diag.Diagnostic); ok { //nolint:errorlint // failures and lists hold diagnostics, too
		err = diag.List{finding}
	}
	out := runProblem(noteOf(c), err)
	if p, ok := errors.AsType[*problem](out); ok && p.code == diag.Forbidden {
		p.status = http.StatusForbidden // the server's setting, not a command's wish
	}
	return out
}
