package cli

import (
	"fmt"
	"strings"

	"github.com/avapd/avapd/internal/diag"
)

// Exit codes.
const (
	exitOK          = 0
	exitScript      = 1
	exitUsage       = 2
	exitLimit       = 3
	exitInternal    = 4
	exitMore        = 5
	exitSignature   = 6
	exitUnavailable = 7
	exitUnproven    = 8
)

// exits says what each exit code means, in order. It is the one list: help and
// the README have what it says.
var exits = []string{
	exitOK:          "success",
	exitScript:      "script error or refusal",
	exitUsage:       "wrong usage or credentials",
	exitLimit:       "stopped by a limit",
	exitInternal:    "internal error",
	exitMore:        "a new version may do more or is called in another way",
	exitSignature:   "not signed by a key that was given or is trusted, or changed afterwards",
	exitUnavailable: "no server that can do it now",
	exitUnproven:    "nothing signed that would prove it",
}

// exitTable is the list as a sentence.
func exitTable() string {
	var parts []string
	for code, meaning := range exits {
		parts = append(parts, fmt.Sprintf("%d %s", code, meaning))
	}
	return "Exit codes: " + strings.Join(parts, ", ") + "."
}

// exitCode follows the groups of codes: 4 are the limits, 9 is internal.
func exitCode(code diag.Code) int {
	switch {
	case strings.HasPrefix(string(code), "AVAP4"):
		return exitLimit
	case code == diag.Internal:
		return exitInternal
	case code == diag.KeyUnusable:
		return exitUsage
	case code == diag.NotSigned, code == diag.SignerUnknown, code == diag.SignatureInvalid, code == diag.SignatureMalformed:
		return exitSignature
	default:
		return exitScript
	}
}
