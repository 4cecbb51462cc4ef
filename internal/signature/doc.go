// Package signature signs WebAssembly modules with Ed25519 and says who signed
// one.
//
// The format is that of wasmsign2, which follows the tool conventions of
// WebAssembly (Signatures.md) but for two length prefixes that the table there
// leaves out. A module carries its signatures in a custom section "signature",
// which is the first one, or in a file of its own with the same bytes:
//
//	payload = 01 (version) 01 (a module) 01 (SHA-256) count { length set }
//	set     = count { hash of 32 bytes } count { length record }
//	record  = length key-id 01 (Ed25519) 40 signature of 64 bytes
//
// Counts and lengths are unsigned LEB128. What is signed is
//
//	"wasmsig" 01 01 01 hash₁ … hashₙ
//
// A hash is the SHA-256 of the sections behind the signature section; neither
// it nor the 8-byte header of the module is in it. A custom section
// "signature_delimiter" ends a part of a module: each part has a hash, of
// everything from the first part to its end. Here a signature counts only if
// its last hash is that of the whole module, for otherwise somebody could take
// off the end of a module and leave the signature right.
//
// Signatures of one module may be by several signers. Records of other
// algorithms are kept and ignored.
//
// What this package refuses it refuses with a diag.Diagnostic.
package signature
