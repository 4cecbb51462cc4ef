package spectest

import (
	"testing"

	"github.com/tetratelabs/wazero"
)

// TestSuiteHolds runs the suite as it is: what the harness calls a failure
// must be one.
func TestSuiteHolds(t *testing.T) {
	var count Count
	for _, s := range Scripts(t) {
		if !s.UsesVectors() {
			count.Add(s.Run(t, Options{Config: wazero.NewRuntimeConfigCompiler()}))
		}
	}
	if count.Run < 20_000 {
		t.Errorf("%d commands were run, %d skipped", count.Run, count.Skipped)
	}
	t.Logf("%d commands run, %d skipped", count.Run, count.Skipped)
}

// TestMatches holds values that are equal to an expected one, and not.
func TestMatches(t *testing.T) {
	for _, c := range []struct {
		value Value
		got   uint64
		want  bool
	}{
		{Value{"i32", "4294967295"}, 0xffff_ffff, true},
		{Value{"i32", "4294967295"}, 0x7fff_ffff, false},
		{Value{"f32", "nan:canonical"}, 0xffc0_0000, true},
		{Value{"f32", "nan:canonical"}, 0x7fc0_0001, false},
		{Value{"f32", "nan:arithmetic"}, 0x7fc0_0001, true},
		{Value{"f32", "nan:arithmetic"}, 0x7fa0_0000, false},
		{Value{"f64", "nan:canonical"}, 0xfff8_0000_0000_0000, true},
		{Value{"f64", "nan:arithmetic"}, 0x7ff0_0000_0000_0001, false},
		{Value{"externref", "0"}, 1, true},
		{Value{"externref", "null"}, 1, false},
		{Value{"funcref", nil}, 7, true},
		{Value{"i64", nil}, 0, false},
	} {
		if got := c.value.matches(c.got); got != c.want {
			t.Errorf("%v matches %#x: %v", c.value, c.got, got)
		}
	}
}
