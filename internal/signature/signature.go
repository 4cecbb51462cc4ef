package signature

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/wasm"
)

// maxAttempts bounds how many signatures are computed for one module, a tenth
// of a second of work.
const maxAttempts = 2_000

// Sign adds the signature of a key to those that the module carries, in a
// section that is the first one. A key that has signed the module already adds
// nothing.
func Sign(module []byte, key PrivateKey) ([]byte, error) {
	p, err := takeApart(module)
	if err != nil {
		return nil, err
	}
	var sets []hashSet
	if p.signed {
		if sets, err = decode(p.payload); err != nil {
			return nil, err
		}
	}
	payload, err := addRecord(sets, p.sections, key)
	if err != nil {
		return nil, err
	}
	return join(payload, p.sections), nil
}

// SignDetached adds the signature of a key to a detached signature of the
// module, which is empty at first.
func SignDetached(module, signature []byte, key PrivateKey) ([]byte, error) {
	p, err := takeApart(module)
	if err != nil {
		return nil, err
	}
	if p.signed {
		return nil, twofold("the module carries a signature itself; add to it, not to one beside it", "sign the module itself; the signatures in it stay")
	}
	var sets []hashSet
	if len(signature) > 0 {
		if sets, err = decode(signature); err != nil {
			return nil, err
		}
	}
	return addRecord(sets, p.sections, key)
}

// addRecord signs the sections and gives the payload with all signatures.
func addRecord(sets []hashSet, sections []byte, key PrivateKey) ([]byte, error) {
	if key.secret == nil {
		return nil, refuse(diag.KeyUnusable, "there is no private key to sign with")
	}
	hashes, err := partHashes(sections)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(sets, func(s hashSet) bool { return s.sameHashes(hashes) })
	if i < 0 {
		i = len(sets)
		sets = append(sets, hashSet{hashes: hashes})
	}
	set := &sets[i]
	made := newRecord(key.ID, key.sign(set.message()))
	if !slices.ContainsFunc(set.records, func(r record) bool { return bytes.Equal(r.signature, made.signature) }) {
		set.records = append(set.records, made)
	}
	payload := encode(sets)
	// What is written must be readable.
	if _, err := decode(payload); err != nil {
		return nil, err
	}
	return payload, nil
}

// Verify gives those of the keys that signed the module as it is, at least
// one; otherwise the error says whether there are no signatures, none by these
// keys, or some that do not fit.
//
// Keys with an identifier are compared only with records of the same one, and
// with those that have none. A record that names one of the keys and is not
// its signature fails the module, whoever else signed it.
func Verify(module []byte, keys []PublicKey) ([]PublicKey, error) {
	p, err := takeApart(module)
	if err != nil {
		return nil, err
	}
	if !p.signed {
		return nil, refuse(diag.NotSigned, "the module carries no signature")
	}
	return verify(p.payload, p.sections, keys)
}

// VerifyDetached is Verify for a signature that is not in the module.
func VerifyDetached(module, signature []byte, keys []PublicKey) ([]PublicKey, error) {
	p, err := takeApart(module)
	if err != nil {
		return nil, err
	}
	if p.signed {
		return nil, twofold("the module carries a signature itself, beside the detached one", "verify the module by its own signatures, or the module that was signed beside")
	}
	return verify(signature, p.sections, keys)
}

func verify(payload, sections []byte, keys []PublicKey) ([]PublicKey, error) {
	sets, err := decode(payload)
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256(sections)
	v := verifier{keys: keys, valid: make([]bool, len(keys))}
	for i := range sets {
		if err := v.set(&sets[i], sets[i].covers(hash[:])); err != nil {
			return nil, err
		}
	}
	var signers []PublicKey
	for i, k := range keys {
		if v.valid[i] {
			signers = append(signers, k)
		}
	}
	switch {
	case len(signers) > 0:
		return signers, nil
	case v.outdated:
		return nil, refuse(diag.SignatureInvalid, "the module is not the one that was signed")
	}
	return nil, refuse(diag.SignerUnknown, "%s%s", unsignedBy(len(keys)), named(sets))
}

func unsignedBy(keys int) string {
	switch keys {
	case 0:
		return "there is no key that could have signed the module"
	case 1:
		return "the key did not sign the module"
	}
	return fmt.Sprintf("none of the %d keys signed the module", keys)
}

type verifier struct {
	keys     []PublicKey
	valid    []bool // whether the key signed the module
	outdated bool   // whether a key signed another module
	attempts int
}

// set looks who of the keys signed a set; current says whether that means the
// module as it is.
func (v *verifier) set(s *hashSet, current bool) error {
	message := s.message()
	for _, r := range s.records {
		if r.signature == nil {
			continue
		}
		named, signed := false, false
		for i, k := range v.keys {
			if len(r.keyID) > 0 && len(k.ID) > 0 && !bytes.Equal(r.keyID, k.ID) {
				continue
			}
			if v.attempts++; v.attempts > maxAttempts {
				return refuse(diag.SignatureMalformed, "more than %d signatures would have to be computed for the module", maxAttempts)
			}
			named = named || len(r.keyID) > 0 && len(k.ID) > 0
			if len(k.Key) != ed25519.PublicKeySize || !ed25519.Verify(k.Key, message, r.signature) {
				continue
			}
			signed = true
			v.valid[i] = v.valid[i] || current
			v.outdated = v.outdated || !current
		}
		if named && !signed {
			return refuse(diag.SignatureInvalid, "the signature that names the key %x is not of that key; module or signature were changed", r.keyID)
		}
	}
	return nil
}

// Named is a part of a sentence that tells which keys the signatures of a module say
// they are of; empty if they name none.
func Named(module []byte) string {
	p, err := takeApart(module)
	if err != nil || !p.signed {
		return ""
	}
	sets, err := decode(p.payload)
	if err != nil {
		return ""
	}
	return named(sets)
}

func named(sets []hashSet) string {
	const most, mostBytes = 4, 32 // anybody can write names of any length
	var ids []string
	for _, s := range sets {
		for _, r := range s.records {
			switch id := r.keyID; {
			case len(id) > mostBytes:
				ids = append(ids, hex.EncodeToString(id[:mostBytes])+"…")
			case len(id) > 0:
				ids = append(ids, hex.EncodeToString(id))
			}
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	switch {
	case len(ids) == 0:
		return ""
	case len(ids) > most:
		ids = append(ids[:most], "others")
	}
	return "; its signatures name the keys " + strings.Join(ids, ", ")
}

// ContentDigest is the SHA-256 of the module without its signatures, whose
// bytes are another file for every signer.
func ContentDigest(module []byte) ([32]byte, error) {
	p, err := takeApart(module)
	if err != nil {
		return [32]byte{}, err
	}
	hash := sha256.New()
	hash.Write([]byte(wasm.Header))
	hash.Write(p.sections)
	return [32]byte(hash.Sum(nil)), nil
}

// Claim is what a signature says of itself, which nobody has verified.
type Claim struct {
	// KeyID is empty where the signer left it out, or the record is of an
	// algorithm that is not known here.
	KeyID []byte
	// Current is whether the signature is about the module as it is.
	Current bool
}

// Claims lists the signatures that a module carries. The error is of the kinds
// that Verify has.
func Claims(module []byte) ([]Claim, error) {
	p, err := takeApart(module)
	if err != nil || !p.signed {
		return nil, err
	}
	sets, err := decode(p.payload)
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256(p.sections)
	var claims []Claim
	for i := range sets {
		for _, r := range sets[i].records {
			claims = append(claims, Claim{bytes.Clone(r.keyID), sets[i].covers(hash[:])})
		}
	}
	return claims, nil
}
