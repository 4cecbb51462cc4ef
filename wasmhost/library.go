package wasmhost

import (
	"context"

	"github.com/tetratelabs/wazero/api"

	"github.com/avapd/avapd/runtime/hostcalls"
)

// libraryCalls binds the pure functions of abi.LibraryImports to their
// implementations. Arguments and results are on the stack; the memory is the
// execution's, whichever module calls.
var libraryCalls = map[string]api.GoModuleFunc{
	"float_digits": func(ctx context.Context, _ api.Module, s []uint64) {
		s[0] = hostcalls.FloatDigits(guestMemory(ctx), api.DecodeF64(s[0]), uint32(s[1]), uint32(s[2]), uint32(s[3]))
	},
	"float_parse": func(ctx context.Context, _ api.Module, s []uint64) {
		s[0] = api.EncodeF64(hostcalls.FloatParse(guestMemory(ctx), uint32(s[0]), uint32(s[1])))
	},
	"unicode_case": func(ctx context.Context, _ api.Module, s []uint64) {
		s[0] = uint64(hostcalls.UnicodeCase(guestMemory(ctx), uint32(s[0]), uint32(s[1]), uint32(s[2]), uint32(s[3])))
	},
	"unicode_class": func(_ context.Context, _ api.Module, s []uint64) {
		s[0] = uint64(hostcalls.UnicodeClass(uint32(s[0])))
	},
}

func guestMemory(ctx context.Context) []byte { return ctx.(*execution).slot.memory() }
