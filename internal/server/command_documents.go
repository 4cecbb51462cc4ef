package server

import (
	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/registry"
	"github.com/avapd/avapd/internal/signature"
	"github.com/avapd/avapd/runtime/abi"
)

func (s *Server) commandDocument(c *registry.Command) api.Command {
	d := api.Command{
		Name: c.Name, Active: c.Active, Disabled: c.Disabled, Versions: len(c.Versions),
		Interface: []api.Parameter{}, Capabilities: []string{},
	}
	if newest := c.Newest(); newest != nil {
		d.Latest = newest.Number
	}
	d.Runnable, d.ReasonCode, d.Reason = reason(s.commands.State().CommandRefusal(c))
	if v := c.Version(c.Active); v != nil {
		d.Digest, d.Interface, d.Capabilities = v.Digest.String(), interfaceDocument(v.Interface), orEmpty(v.Capabilities)
	}
	return d
}

// reason says whether something may run, and why not.
func reason(refused *diag.Failure) (runnable bool, code, text string) {
	if refused == nil {
		return true, "", ""
	}
	return false, string(refused.Code), refused.Message
}

func (s *Server) versionDocument(c *registry.Command, v *registry.Version) api.Version {
	d := api.Version{
		Name: v.Command, Version: v.Number, Active: c.Active == v.Number, Digest: v.Digest.String(), SizeBytes: int64(v.Size),
		Interface: interfaceDocument(v.Interface), Capabilities: orEmpty(v.Capabilities), Limits: api.Limits(v.Limits),
		Signers: orEmpty(v.Signers), Created: v.Created, By: v.By, Note: v.Note, SourceSHA256: v.SourceSHA256,
	}
	d.Runnable, d.ReasonCode, d.Reason = reason(s.commands.State().VersionRefusal(v))
	return d
}

func interfaceDocument(list []abi.Parameter) []api.Parameter {
	out := make([]api.Parameter, len(list))
	for i, p := range list {
		out[i] = api.Parameter(p)
	}
	return out
}

// healthDocument leaves out what went wrong: addresses of services are for the
// log.
func healthDocument(h registry.Health) api.Health {
	return api.Health{
		Primary: h.Primary, Origin: string(h.Origin), Epoch: h.Epoch, Revision: h.Revision, Commands: h.Commands, Refreshed: h.Refreshed,
		Copy: h.Copy, CopyGood: h.Copy && h.CopyError == "", Missing: h.Missing,
	}
}

// orEmpty keeps null out of documents.
func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func signerDocument(s *registry.Signer) (api.Signer, error) {
	key, err := signature.NewPublicKey(s.Key)
	if err != nil {
		return api.Signer{}, err
	}
	text, err := signature.EncodePublic(key, signature.OpenSSH, s.Name)
	if err != nil {
		return api.Signer{}, err
	}
	return api.Signer{
		Name: s.Name, PublicKey: string(text), KeyID: s.KeyID, Prefixes: orEmpty(s.Prefixes), Capabilities: orEmpty(s.Capabilities),
		Limits: api.Limits(s.Limits), TrustedCompiler: s.TrustedCompiler, Fixed: s.Fixed, Revoked: s.Revoked,
	}, nil
}

func trustDocument(c *registry.TrustChange) *api.TrustChange {
	return &api.TrustChange{Gained: orEmpty(c.Gained), GainedCount: c.GainedCount, Lost: orEmpty(c.Lost), LostCount: c.LostCount}
}

func revocationDocument(r *registry.Revocation) api.Revocation {
	return api.Revocation{Kind: string(r.Kind), Value: r.Value, Reason: r.Reason, At: r.At, By: r.By}
}
