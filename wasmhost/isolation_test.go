package wasmhost

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// TestMillionExecutions mixes executions that end well, fail, trap, reach
// limits, are cancelled, cannot be instantiated and make the host panic, with
// children, commands and trials, at full concurrency. No execution may find a
// byte of another in its memory, nor get another's answer.
func TestMillionExecutions(t *testing.T) {
	share := map[Engine]int{EngineCompiler: 1_000_000, EngineInterpreter: 5_000}
	step := map[Engine]int32{EngineCompiler: lookBytes, EngineInterpreter: 8 * lookBytes}
	other := map[Engine]Engine{EngineCompiler: EngineInterpreter, EngineInterpreter: EngineCompiler}
	for name, engine := range map[string]Engine{"compiler": EngineCompiler, "interpreter": EngineInterpreter} {
		t.Run(name, func(t *testing.T) {
			count := share[engine]
			if testing.Short() {
				count /= 50
			}
			var found atomic.Int64
			workers := 4 * runtime.GOMAXPROCS(0)
			configure := func(c *Config) {
				// Each may have two children, and no child should wait for a memory.
				c.MaxInstances, c.IdleInstances, c.KeepBinaries = 3*workers, workers/2, true
				c.Commands = intruderCommands(func() { found.Add(1) })
			}
			h := newHost(t, engine, configure)
			all := intruders(t, h, newHost(t, other[engine], configure), step[engine])
			var left atomic.Int64
			left.Store(int64(count))
			faults := make(chan error, workers)
			for worker := range workers {
				go func() { faults <- intrude(all, &left, uint64(worker)) }()
			}
			for range workers {
				if err := <-faults; err != nil {
					t.Error(err)
				}
			}
			if n := found.Load(); n > 0 {
				t.Errorf("%d executions found what others left", n)
			}
		})
	}
}

// intrude executes until nothing is left to do.
func intrude(all []intruder, left *atomic.Int64, worker uint64) error {
	rng := rand.New(rand.NewPCG(worker, 1))
	var dst []byte
	var err error
	for left.Add(-1) >= 0 {
		one := &all[rng.IntN(len(all))]
		for rng.IntN(one.oneIn) > 0 {
			one = &all[rng.IntN(len(all))]
		}
		secret := rng.Uint64()
		if dst, err = one.run(one.module, secret, dst); err == nil && one.shadow != nil {
			dst, err = one.run(one.shadow, secret, dst)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
	}
	return nil
}

// run executes once and holds the answer to what it must be. The answer's bytes
// are for the next one.
func (i *intruder) run(m *Module, secret uint64, dst []byte) ([]byte, error) {
	in := Input{Variables: fmt.Appendf(nil, `{"secret":"%d"}`, secret), EchoVariables: true, Registered: i.registered}
	ctx := context.Background()
	if i.cancels {
		cancelled, cancel := context.WithCancel(ctx)
		defer cancel()
		ctx = context.WithValue(cancelled, cancelKey{}, cancel)
	}
	out, _, failure := m.host.Run(ctx, m, &in, i.limits, dst[:0])
	if failure != nil {
		if !slices.Contains(i.codes, failure.Code) || !strings.Contains(failure.Message, i.says) {
			return dst, errors.Join(failure, failure.Cause)
		}
		return dst, nil
	}
	if len(i.codes) > 0 {
		return dst, errors.New("it succeeded")
	}
	if want := fmt.Sprintf(`{"success":true,"result":{},"variables":{"secret":"%d"},"logs":[]}`, secret); string(out.JSON) != want {
		return dst, fmt.Errorf("the answer is %.300s", out.JSON)
	}
	return out.JSON, nil
}
