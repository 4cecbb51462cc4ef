package admit

import (
	"encoding/json"
	"errors"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/internal/wasm/validate"
	"github.com/avapd/avapd/runtime/abi"
)

// manifestMaxBytes bounds the manifest, which in memory takes a multiple of its
// size as text.
const manifestMaxBytes = 1 << 20

// Module decodes a module, validates it and holds it to the policy. Of its
// custom sections only the manifest is kept: the engine reads none, and must
// not have to. The error, if any, is a diag.Diagnostic.
func Module(b []byte, limits validate.Limits) (*wasm.Binary, abi.Manifest, error) {
	binary, err := validate.Module(b, limits)
	if err != nil {
		return nil, abi.Manifest{}, refusal(err)
	}
	manifest, err := readManifest(binary)
	if err != nil {
		return nil, abi.Manifest{}, err
	}
	if err := check(binary, &manifest, limits); err != nil {
		return nil, abi.Manifest{}, err
	}
	return binary, manifest, nil
}

// refusal gives a validator's error its code.
func refusal(err error) error {
	var refused *wasm.Error
	if !errors.As(err, &refused) {
		return err
	}
	code := diag.ModuleInvalid
	switch refused.Reason {
	case wasm.Malformed:
		code = diag.ModuleMalformed
	case wasm.Unsupported:
		code = diag.ModuleFeature
	case wasm.TooLarge:
		code = diag.ModuleLimit
	}
	return refuse(code, "offset %#x: %s", refused.Offset, refused.Message)
}

func refuse(code diag.Code, format string, args ...any) error {
	return diag.New(code, diag.Span{}, format, args...)
}

// readManifest takes the manifest out of its section, and all other custom
// sections away.
func readManifest(b *wasm.Binary) (abi.Manifest, error) {
	var m abi.Manifest
	var found []wasm.CustomSection
	for _, c := range b.Customs {
		if c.Name == abi.ManifestSection {
			found = append(found, c)
		}
	}
	b.Customs = found
	if len(found) != 1 {
		return m, refuse(diag.ModuleManifest, "%d sections %q, one is wanted", len(found), abi.ManifestSection)
	}
	if n := len(found[0].Bytes); n > manifestMaxBytes {
		return m, refuse(diag.ModuleLimit, "a manifest of %d bytes, at most %d are allowed", n, manifestMaxBytes)
	}
	if err := json.Unmarshal(found[0].Bytes, &m); err != nil {
		return m, refuse(diag.ModuleManifest, "manifest: %v", err)
	}
	return m, nil
}
