package server

import (
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/registry"
	"github.com/avapd/avapd/internal/signature"
)

// listSigners answers GET /api/v1/signers.
func (s *Server) listSigners(c *fiber.Ctx) error {
	list := api.Signers{Signers: []api.Signer{}}
	for _, signer := range s.commands.State().Signers() {
		d, err := signerDocument(signer)
		if err != nil {
			return err
		}
		list.Signers = append(list.Signers, d)
	}
	return sendJSON(c, list)
}

// signer finds a signer, or says that there is none and which may be meant.
func (s *Server) signer(name string) (*registry.Signer, error) {
	var names []string
	for _, signer := range s.commands.State().Signers() {
		if signer.Name == name {
			return signer, nil
		}
		names = append(names, signer.Name)
	}
	p := newProblem(http.StatusNotFound, diag.NoSuchSigner, "there is no signer %s", printable(name))
	p.suggestion = diag.DidYouMean(name, names)
	return nil, p
}

func sendSigner(c *fiber.Ctx, signer *registry.Signer) error {
	d, err := signerDocument(signer)
	if err != nil {
		return err
	}
	return sendJSON(c, d)
}

// getSigner answers GET /api/v1/signers/{name}.
func (s *Server) getSigner(c *fiber.Ctx) error {
	signer, err := s.signer(nameOf(c))
	if err != nil {
		return err
	}
	return sendSigner(c, signer)
}

// putSigner answers PUT /api/v1/signers/{name}.
func (s *Server) putSigner(c *fiber.Ctx) error {
	var in api.Signer
	if err := readDocument(c, &in); err != nil {
		return err
	}
	name := nameOf(c)
	if in.Name != "" && in.Name != name {
		return newProblem(http.StatusBadRequest, diag.BadFieldValue, "name is %q in the body and %q in the path", printable(in.Name), printable(name))
	}
	keys, err := signature.ParsePublicKeys([]byte(in.PublicKey))
	if err != nil {
		return s.registryProblem(noteOf(c), err)
	}
	if len(keys) != 1 {
		return newProblem(http.StatusBadRequest, diag.BadFieldValue, "public_key holds %d keys; a signer has one", len(keys))
	}
	ctx := s.watch(c)
	defer s.watcher.remove(&ctx.watched)
	signer, err := s.commands.PutSigner(ctx, registry.Signer{
		Name: name, Key: keys[0].Key, Prefixes: in.Prefixes, Capabilities: in.Capabilities,
		Limits: registry.Limits(in.Limits), TrustedCompiler: in.TrustedCompiler,
	}, changer(c))
	if err != nil {
		return s.registryProblem(noteOf(c), err)
	}
	return sendSigner(c, signer)
}

// deleteSigner answers DELETE /api/v1/signers/{name}.
func (s *Server) deleteSigner(c *fiber.Ctx) error {
	ctx := s.watch(c)
	defer s.watcher.remove(&ctx.watched)
	signer, err := s.signer(nameOf(c))
	if err != nil {
		return err
	}
	if err := s.commands.DeleteSigner(ctx, signer.Name, changer(c)); err != nil {
		return s.registryProblem(noteOf(c), err)
	}
	c.Response().Header.SetNoDefaultContentType(true)
	return c.SendStatus(http.StatusNoContent)
}

// listRevocations answers GET /api/v1/revocations.
func (s *Server) listRevocations(c *fiber.Ctx) error {
	list := api.Revocations{Revocations: []api.Revocation{}}
	for _, r := range s.commands.State().Revocations() {
		list.Revocations = append(list.Revocations, revocationDocument(r))
	}
	return sendJSON(c, list)
}

// postRevocation answers POST /api/v1/revocations.
func (s *Server) postRevocation(c *fiber.Ctx) error {
	var in api.Revocation
	if err := readDocument(c, &in); err != nil {
		return err
	}
	ctx := s.watch(c)
	defer s.watcher.remove(&ctx.watched)
	kind, value := registry.Revocable(in.Kind), strings.ToLower(in.Value)
	if err := s.commands.Revoke(ctx, kind, value, in.Reason, changer(c)); err != nil {
		return s.registryProblem(noteOf(c), err)
	}
	for _, r := range s.commands.State().Revocations() {
		if r.Kind == kind && r.Value == value {
			return sendJSON(c, revocationDocument(r))
		}
	}
	return sendJSON(c, api.Revocation{Kind: in.Kind, Value: value, Reason: in.Reason, By: changer(c)})
}
