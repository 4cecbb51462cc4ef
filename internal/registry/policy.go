package registry

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/runtime/abi"
)

// everything is the prefix of all names, and the capability to do all.
const everything = "*"

// maxPages is the largest memory that there is.
const maxPages = 1 << 16

// permission is what a signer's word is good for.
type permission struct {
	trusted bool
	limits  Limits // the most an execution can have; zero is no bound
}

// policy stands for the signers and the revocations of a State, and of those after
// it that have the same. It has a size, so that no two have the same address.
type policy struct{ _ byte }

// permitted is the permission that a version has under a policy.
type permitted struct {
	policy *policy
	permission
}

// permission is permit for a version with the signers that its record has. It is
// found once for a policy, unless it is not known yet under which names the version
// would be revoked.
func (s *State) permission(v *Version) (permission, error) {
	if known := v.loader.permitted.Load(); known != nil && known.policy == s.policy {
		return known.permission, nil
	}
	p, err := s.permit(v, v.Signers)
	if err == nil && v.names != nil {
		v.loader.permitted.Store(&permitted{s.policy, p})
	}
	return p, err
}

// permit decides whether a version may run that these keys have signed. One
// signer who may sign it is enough. The error is a *diag.Failure.
func (s *State) permit(v *Version, keys []string) (best permission, err error) {
	if s.revocation(v) != nil {
		return best, s.refusal(v, keys)
	}
	found := false
	for _, key := range keys {
		signer := s.byKey[key]
		if signer == nil || signer.Revoked || signer.objection(v) != nil {
			continue
		}
		if !found || signer.TrustedCompiler && !best.trusted {
			best = permission{signer.TrustedCompiler, v.Limits.within(signer.Limits)}
		}
		found = true
	}
	if !found {
		return permission{}, s.refusal(v, keys)
	}
	return best, nil
}

// revocation is that of the version's artifact, or nil.
func (s *State) revocation(v *Version) *Revocation {
	for _, name := range v.revocationNames() {
		if r := s.revocations.get(name); r != nil {
			return r
		}
	}
	return nil
}

// refusal says why a version may not run.
func (s *State) refusal(v *Version, keys []string) *diag.Failure {
	if r := s.revocation(v); r != nil {
		if v.Number == 0 {
			return diag.NewFailure(diag.Revoked, "this module is revoked%s", because(r))
		}
		return diag.NewFailure(diag.Revoked, "version %d of the command %s is revoked%s", v.Number, v.Command, because(r))
	}
	refused := diag.NewFailure(diag.PolicyRefused, "nobody who is trusted has signed version %d of the command %s", v.Number, v.Command)
	for _, key := range keys {
		if r := s.revocations.get(revocationName(RevokeKey, key)); r != nil {
			refused = diag.NewFailure(diag.Revoked, "the key %s, which signed version %d of the command %s, is revoked%s", key, v.Number, v.Command, because(r))
		} else if signer := s.byKey[key]; signer != nil {
			refused = signer.objection(v)
		}
	}
	return refused
}

func because(r *Revocation) string {
	if r.Reason == "" {
		return ""
	}
	return ": " + r.Reason
}

// objection says why the signer may not sign a version, or nil.
func (s *Signer) objection(v *Version) *diag.Failure {
	if !slices.ContainsFunc(s.Prefixes, func(p string) bool { return p == everything || strings.HasPrefix(v.Command, p) }) {
		return diag.NewFailure(diag.PolicyRefused, "the signer %s may not sign for the name %s, only for those that begin with %s", s.Name, v.Command, strings.Join(s.Prefixes, ", "))
	}
	if !slices.Contains(s.Capabilities, everything) {
		for _, c := range v.Capabilities {
			if !slices.Contains(s.Capabilities, c) {
				return diag.NewFailure(diag.PolicyRefused, "the command %s needs %s, which the signer %s may not grant", v.Command, c, s.Name)
			}
		}
	}
	if s.Limits.isZero() {
		return nil
	}
	if name := v.Limits.beyond(s.Limits); name != "" {
		return diag.NewFailure(diag.PolicyRefused, "the command %s asks for more %s than the signer %s may grant", v.Command, name, s.Name)
	}
	return nil
}

// limit is one of the limits with its name.
type limit struct {
	name  string
	value *int64
}

func (l *Limits) list() []limit {
	return []limit{
		{"fuel", &l.Fuel}, {"time", &l.TimeMS}, {"memory", &l.MemoryBytes}, {"call depth", &l.CallDepth}, {"output", &l.OutputBytes},
	}
}

// beyond names a limit that is more than the most, or none.
func (l Limits) beyond(most Limits) string {
	other := most.list()
	for i, own := range l.list() {
		if m := *other[i].value; m > 0 && *own.value > m {
			return own.name
		}
	}
	return ""
}

// within is the lower of each two limits.
func (l Limits) within(most Limits) Limits {
	if most.isZero() {
		return l
	}
	other := most.list()
	for i, own := range l.list() {
		if m := *other[i].value; m > 0 && (*own.value == 0 || *own.value > m) {
			*own.value = m
		}
	}
	return l
}

// isZero tells whether there is no limit at all.
func (l Limits) isZero() bool { return l == Limits{} }

// negative tells whether one of the limits is.
func (l Limits) negative() bool {
	return slices.ContainsFunc(l.list(), func(l limit) bool { return *l.value < 0 })
}

// ceiling is the limits in the engine's units.
func (l Limits) ceiling() engine.Limits {
	const mostMS = math.MaxInt64 / int64(time.Millisecond)
	return engine.Limits{
		Fuel: l.Fuel, Duration: time.Duration(min(l.TimeMS, mostMS)) * time.Millisecond,
		MemoryPages: uint32((min(l.MemoryBytes, maxPages*abi.PageBytes) + abi.PageBytes - 1) / abi.PageBytes),
		CallDepth:   uint32(min(l.CallDepth, 1<<30)), OutputBytes: int(l.OutputBytes),
	}
}
