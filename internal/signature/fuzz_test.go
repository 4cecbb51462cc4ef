package signature

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// FuzzVerify verifies anything: no panic, and what passes is what the keys
// signed.
func FuzzVerify(f *testing.F) {
	v := readVectors(f)
	keys := v.public(f, "a", "b")
	for _, c := range v.Modules {
		f.Add(mustHex(c.Signed))
		f.Add(mustHex(c.Module))
	}
	genuine := map[string]bool{}
	for _, c := range v.Modules {
		genuine[c.Module] = true
	}
	f.Fuzz(func(t *testing.T, module []byte) {
		_, claimsErr := Claims(module)
		signers, err := Verify(module, keys)
		if (err == nil) != (len(signers) > 0) {
			t.Fatalf("signed by %v, %v", signers, err)
		}
		if err != nil {
			return
		}
		if claimsErr != nil {
			t.Errorf("verified, but its signatures cannot be listed: %v", claimsErr)
		}
		bare, err := strip(module)
		if err != nil || !genuine[hex.EncodeToString(bare)] {
			t.Errorf("a module that nobody signed passes: %x, %v", module, err)
		}
	})
}

// FuzzSign signs anything: what can be signed verifies, and can be taken apart
// into what it was.
func FuzzSign(f *testing.F) {
	v := readVectors(f)
	key, keys := v.private(f, "b"), v.public(f, "b")
	for _, c := range v.Modules {
		f.Add(mustHex(c.Signed))
		f.Add(mustHex(c.Module))
	}
	f.Fuzz(func(t *testing.T, module []byte) {
		signed, err := Sign(module, key)
		if err != nil {
			return
		}
		before, err := strip(module)
		if err != nil {
			t.Fatal(err)
		}
		bare, detached, err := detach(signed)
		if err != nil || !bytes.Equal(bare, before) {
			t.Fatalf("signed, the module is %x, %v; it was %x", bare, err, before)
		}
		// A record that was there may name the key and be none of its.
		_, err1 := Verify(signed, keys)
		_, err2 := VerifyDetached(bare, detached, keys)
		if (err1 == nil) != (err2 == nil) {
			t.Errorf("embedded: %v, detached: %v", err1, err2)
		}
		fresh, err := Sign(before, key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(fresh, keys); err != nil {
			t.Error(err)
		}
	})
}

// FuzzKeys reads anything as a key file.
func FuzzKeys(f *testing.F) {
	for _, file := range keyFiles(f) {
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		if keys, err := ParsePublicKeys(file); err == nil && len(keys) == 0 {
			t.Error("no key and no error")
		}
		key, err := ParsePrivateKey(file, func() ([]byte, error) { return []byte("wrong"), nil })
		if err != nil {
			return
		}
		for _, format := range []Format{OpenSSH, PEM, Raw} {
			encoded, err := EncodePrivate(key, format, nil)
			if err != nil {
				t.Fatal(err)
			}
			again, err := ParsePrivateKey(encoded, noPassphrase(t))
			if err != nil || !again.secret().Equal(key.secret()) {
				t.Errorf("as %s: %v", format, err)
			}
		}
	})
}
