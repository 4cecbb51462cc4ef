package server

import (
	"net/http"

	"github.com/avapd/avapd/internal/diag"
)

// commandProblem words what the registry refused about a command. With a
// conflict comes what the command is now.
func (s *Server) commandProblem(n *note, name string, err error) error {
	p := s.registryProblem(n, err)
	state := s.commands.State()
	command, exists := state.Command(name)
	switch {
	case exists && p.status == http.StatusConflict:
		p.current = new(s.commandDocument(command))
	case !exists && p.code == diag.NoSuchCommand:
		p.suggestion = diag.DidYouMean(name, namesLike(state, name))
	}
	return p
}

// registryProblem words what the registry refused, or could not do.
func (s *Server) registryProblem(n *note, err error) *problem {
	if finding, ok := err.(diag.Diagnostic); ok { //nolint:errorlint // failures and lists hold diagnostics, too
		err = diag.List{finding}
	}
	p := runProblem(n, err)
	if p.code == diag.Forbidden {
		p.status = http.StatusForbidden // the server's setting, not a command's wish
	}
	return p
}
