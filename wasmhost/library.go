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
	"digest": func(ctx context.Context, _ api.Module, s []uint64) {
		s[0] = uint64(hostcalls.Digest(guestMemory(ctx), uint32(s[0]), uint32(s[1]), uint32(s[2]), uint32(s[3])))
	},
	"regex_group": func(ctx context.Context, _ api.Module, s []uint64) {
		s[0] = hostcalls.RegexGroup(guestMemory(ctx), uint32(s[0]), uint32(s[1]), uint32(s[2]), uint32(s[3]), uint32(s[4]))
	},
	"regex_find": func(ctx context.Context, _ api.Module, s []uint64) {
		s[0] = hostcalls.RegexFind(guestMemory(ctx), ctx.(*execution).regexTurn,
			uint32(s[0]), uint32(s[1]), uint32(s[2]), uint32(s[3]), uint32(s[4]), uint32(s[5]), uint32(s[6]), uint32(s[7]))
	},
	"time_format": func(ctx context.Context, _ api.Module, s []uint64) {
		s[0] = uint64(uint32(hostcalls.TimeFormat(guestMemory(ctx), ctx.(*execution).host.config.Zone, api.DecodeF64(s[0]),
			uint32(s[1]), uint32(s[2]), uint32(s[3]), uint32(s[4]), uint32(s[5]), uint32(s[6]))))
	},
	"time_parse": func(ctx context.Context, _ api.Module, s []uint64) {
		s[0] = uint64(hostcalls.TimeParse(guestMemory(ctx), ctx.(*execution).host.config.Zone, uint32(s[0]), uint32(s[1]), uint32(s[2]), uint32(s[3])))
	},
}

// regexTurn is a running search's turn: it takes the fuel for what was done,
// and ends the run when there is no more or its time is over.
func (e *execution) regexTurn(units int64) {
	e.fuelMeter.library.Set(e.fuelMeter.library.Get() - uint64(units))
	cause := e.mayGoOn()
	if cause == stopNone && e.family.left(e.allowance)+e.leftover() < 0 && !e.settle() {
		cause = stopFuel
	}
	if cause != stopNone {
		e.stop(cause, 0)
	}
	e.takeTurns()
}

func guestMemory(ctx context.Context) []byte { return ctx.(*execution).slot.memory() }
