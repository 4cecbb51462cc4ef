package server

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/auth"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/signature"
)

// maxGrace is how long a secret may hold beside the one that follows it.
const maxGrace = 30 * 24 * time.Hour

// lastYear is the last one whose dates JSON can write. In another time zone a
// date of it may be one of the next year here.
const lastYear = 9999

// keyDocument is a key as the API shows it, without what it is compared with.
func (s *Server) keyDocument(k *auth.Key) (api.Key, error) {
	d := api.Key{
		Name: k.Name, Kind: string(k.Kind), Scopes: k.Scopes, Prefixes: orEmpty(k.Prefixes), Created: k.Created, By: k.By, Expires: k.Expires, Subject: k.Subject,
		LastUsed: s.commands.LastUse(k.Name), Proofs: []api.KeyProof{},
	}
	for _, p := range k.Proofs {
		shown := api.KeyProof{Created: p.Created, Expires: p.Expires}
		if k.Kind == auth.KindSignature {
			key, err := signature.NewPublicKey(p.PublicKey)
			if err != nil {
				return api.Key{}, err
			}
			text, err := signature.EncodePublic(key, signature.OpenSSH, k.Name)
			if err != nil {
				return api.Key{}, err
			}
			shown.PublicKey = string(text)
		}
		d.Proofs = append(d.Proofs, shown)
	}
	return d, nil
}

// listKeys answers GET /api/v1/keys.
func (s *Server) listKeys(c *fiber.Ctx) error {
	list := api.Keys{Keys: []api.Key{}}
	keys := s.commands.State().Clients()
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		d, err := s.keyDocument(keys[name])
		if err != nil {
			return err
		}
		list.Keys = append(list.Keys, d)
	}
	return sendJSON(c, list)
}

// getKey answers GET /api/v1/keys/{name}.
func (s *Server) getKey(c *fiber.Ctx) error {
	keys, name := s.commands.State().Clients(), nameOf(c)
	if keys[name] == nil {
		p := newProblem(http.StatusNotFound, diag.NoSuchKey, "there is no key %s", printable(name))
		p.suggestion = diag.DidYouMean(name, slices.Collect(maps.Keys(keys)))
		return p
	}
	return s.sendKey(c, keys[name], "")
}

// sendKey answers with a key and, if it has just been made, its secret.
func (s *Server) sendKey(c *fiber.Ctx, k *auth.Key, secret string) error {
	d, err := s.keyDocument(k)
	if err != nil {
		return err
	}
	d.Secret = secret
	c.Response().Header.Set(fiber.HeaderCacheControl, "no-store")
	return sendJSON(c, d)
}

// createKey answers POST /api/v1/keys.
func (s *Server) createKey(c *fiber.Ctx) error {
	var in api.NewKey
	if err := readDocument(c, &in); err != nil {
		return err
	}
	noteOf(c).target = in.Name
	kind := auth.Kind(in.Kind)
	if kind == "" {
		kind = auth.KindKey
	}
	now := time.Now()
	if !in.Expires.IsZero() && !in.Expires.After(now) {
		return newProblem(http.StatusBadRequest, diag.BadFieldValue, "expires is in the past")
	}
	if in.Expires.UTC().Year() > lastYear {
		return newProblem(http.StatusBadRequest, diag.BadFieldValue, "expires is after the year %d", lastYear)
	}
	if !auth.IsName(in.Name) {
		return newProblem(http.StatusBadRequest, diag.BadFieldValue, "%q is no name of a key, which has %s", printable(in.Name), auth.NameRule)
	}
	proof, secret, err := newProof(in.Name, kind, in.PublicKey, now)
	if err != nil {
		return err
	}
	ctx := s.watch(c)
	defer s.watcher.remove(ctx.watched)
	key, err := s.commands.CreateKey(ctx, auth.Key{
		Name: in.Name, Kind: kind, Proofs: []auth.Proof{proof}, Subject: in.Subject, Scopes: in.Scopes, Prefixes: in.Prefixes, Expires: in.Expires.UTC(),
	}, noteOf(c).principal)
	if err != nil {
		return s.registryProblem(noteOf(c), err)
	}
	c.Status(http.StatusCreated)
	c.Response().Header.Set(fiber.HeaderLocation, pathKeys+"/"+key.Name)
	return s.sendKey(c, key, secret)
}

// newProof makes what a client is to be known by: a secret, or the public key
// that it gave.
func newProof(name string, kind auth.Kind, publicKey string, now time.Time) (proof auth.Proof, secret string, err error) {
	proof.Created = now.UTC().Truncate(time.Millisecond)
	if kind == auth.KindCertificate && publicKey == "" {
		return proof, "", nil
	}
	if kind != auth.KindSignature {
		if publicKey != "" {
			return proof, "", newProblem(http.StatusBadRequest, diag.BadFieldValue, "public_key is for keys of the kind %s; the secret of others is made here", auth.KindSignature)
		}
		secret = auth.NewSecret(name)
		proof.Digest = auth.DigestOf(secret)
		return proof, secret, nil
	}
	if publicKey == "" {
		return proof, "", newProblem(http.StatusBadRequest, diag.BadFieldValue, "a key of the kind %s needs a public_key", auth.KindSignature)
	}
	keys, err := signature.ParsePublicKeys([]byte(publicKey))
	if err != nil {
		message := err.Error()
		if finding, ok := errors.AsType[diag.Diagnostic](err); ok {
			message = finding.Message // there is no file to name
		}
		return proof, "", newProblem(http.StatusBadRequest, diag.KeyUnusable, "public_key: %s", printable(message))
	}
	if len(keys) != 1 {
		return proof, "", newProblem(http.StatusBadRequest, diag.BadFieldValue, "public_key holds %d keys; a key has one", len(keys))
	}
	proof.PublicKey = keys[0].Key
	return proof, "", nil
}

// rotateKey answers POST /api/v1/keys/{name}/rotate.
func (s *Server) rotateKey(c *fiber.Ctx) error {
	var in api.Rotation
	if err := readDocument(c, &in); err != nil {
		return err
	}
	if in.GraceS < 0 || in.GraceS > int64(maxGrace/time.Second) {
		return newProblem(http.StatusBadRequest, diag.BadFieldValue, "grace_s is %d; it takes a whole number from 0 to %d", in.GraceS, int64(maxGrace/time.Second))
	}
	name, now := nameOf(c), time.Now()
	kind := auth.KindKey
	if old := s.commands.State().Clients()[name]; old != nil {
		kind = old.Kind
	}
	if kind == auth.KindCertificate {
		return newProblem(http.StatusBadRequest, diag.BadFieldValue, "a certificate is renewed where it was made; the key goes by the name in it")
	}
	proof, secret, err := newProof(name, kind, in.PublicKey, now)
	if err != nil {
		return err
	}
	ctx := s.watch(c)
	defer s.watcher.remove(ctx.watched)
	until := proof.Created.Add(time.Duration(in.GraceS) * time.Second)
	key, err := s.commands.RotateKey(ctx, name, proof, until, noteOf(c).principal)
	if err != nil {
		return s.registryProblem(noteOf(c), err)
	}
	return s.sendKey(c, key, secret)
}

// deleteKey answers DELETE /api/v1/keys/{name}. The key counts for nothing as
// soon as this is answered, and on other servers as soon as they know.
func (s *Server) deleteKey(c *fiber.Ctx) error {
	ctx := s.watch(c)
	defer s.watcher.remove(ctx.watched)
	if err := s.commands.DeleteKey(ctx, nameOf(c), noteOf(c).principal); err != nil {
		return s.registryProblem(noteOf(c), err)
	}
	c.Response().Header.SetNoDefaultContentType(true)
	return c.SendStatus(http.StatusNoContent)
}
