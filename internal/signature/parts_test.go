package signature

import (
	"bytes"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/wasm"
)

// detach takes the signatures out of a module and gives both.
func detach(module []byte) (bare, signature []byte, err error) {
	p, err := takeApart(module)
	if err != nil {
		return nil, nil, err
	}
	if !p.signed {
		return nil, nil, refuse(diag.NotSigned, "the module carries no signature")
	}
	bare, err = strip(module)
	return bare, bytes.Clone(p.payload), err
}

// attach puts a detached signature into the module that it is of.
func attach(module, signature []byte) ([]byte, error) {
	p, err := takeApart(module)
	if err != nil {
		return nil, err
	}
	if p.signed {
		return nil, refuse(diag.SignatureMalformed, "the module carries a signature already")
	}
	if _, err := decode(signature); err != nil {
		return nil, err
	}
	return join(signature, p.sections), nil
}

// strip gives the module without its signatures. The result is a copy.
func strip(module []byte) ([]byte, error) {
	p, err := takeApart(module)
	if err != nil {
		return nil, err
	}
	return append([]byte(wasm.Header), p.sections...), nil
}
