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
	defer s.watcher.remove(ctx.watched)
	signer, change, err := s.commands.PutSigner(ctx, registry.Signer{
		Name: name, Key: keys[0].Key, Prefixes: in.Prefixes, Capabilities: in.Capabilities,
		Limits: registry.Limits(in.Limits), TrustedCompiler: in.TrustedCompiler,
	}, changer(c))
	if err != nil {
		p := s.registryProblem(noteOf(c), err)
		if p.code == diag.Revoked {
			p.next = "Give the signer another key; avap keygen makes one."
		}
		return p
	}
	d, err := signerDocument(signer)
	if err != nil {
		return err
	}
	d.Change = trustDocument(change)
	return sendJSON(c, d)
}

// deleteSigner answers DELETE /api/v1/signers/{name}.
func (s *Server) deleteSigner(c *fiber.Ctx) error {
	ctx := s.watch(c)
	defer s.watcher.remove(ctx.watched)
	signer, err := s.signer(nameOf(c))
	if err != nil {
		return err
	}
	change, err := s.commands.DeleteSigner(ctx, signer.Name, changer(c))
	if err != nil {
		return s.registryProblem(noteOf(c), err)
	}
	return sendJSON(c, trustDocument(change))
}

// listRevocations answers GET /api/v1/revocations.
func (s *Server) listRevocations(c *fiber.Ctx) error {
	limit, err := pageLimit(c)
	if err != nil {
		return err
	}
	after := c.Query("after")
	list, more, found := s.commands.State().Revocations(after, limit)
	if !found && after != "" {
		return newProblem(http.StatusBadRequest, diag.BadFieldValue, "after is %q; it takes the member next of a page", printable(after))
	}
	page := api.Revocations{Revocations: make([]api.Revocation, len(list))}
	for i, r := range list {
		page.Revocations[i] = revocationDocument(r)
	}
	if more {
		page.Next = list[len(list)-1].Name()
	}
	return sendJSON(c, page)
}

// postRevocation answers POST /api/v1/revocations.
func (s *Server) postRevocation(c *fiber.Ctx) error {
	var in api.Revocation
	if err := readDocument(c, &in); err != nil {
		return err
	}
	ctx := s.watch(c)
	defer s.watcher.remove(ctx.watched)
	kind, value := registry.Revocable(in.Kind), strings.ToLower(in.Value)
	noteOf(c).target, noteOf(c).detail = string(kind)+":"+value, in.Reason
	revoked, err := s.commands.Revoke(ctx, kind, value, in.Reason, changer(c))
	if err != nil {
		return s.registryProblem(noteOf(c), err)
	}
	d := revocationDocument(revoked.Revocation)
	d.Change = trustDocument(revoked.TrustChange)
	if !revoked.Known {
		d.Note = unknownNotes[kind]
	}
	return sendJSON(c, d)
}

// unknownNotes say that a revocation is about nothing that is here.
var unknownNotes = map[registry.Revocable]string{
	registry.RevokeKey:    "no signer has this key, and no version was signed with it; it counts for nothing from now on",
	registry.RevokeDigest: "no version has this module; it cannot be uploaded from now on",
}
