package spectest

import (
	"fmt"
	"strconv"
)

// Signs and quiet bits of the two widths of floats.
const (
	nan32, sign32 = 0x7fc0_0000, 1 << 31
	nan64, sign64 = 0x7ff8_0000_0000_0000, 1 << 63
)

// bits gives a value as wazero passes it. A reference to the outside is one
// more than its number, as zero is null there.
func (v *Value) bits() (uint64, error) {
	text, ok := v.Raw.(string)
	if !ok {
		return 0, fmt.Errorf("no value of type %s", v.Type)
	}
	if text == "null" {
		return 0, nil
	}
	bits, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, err
	}
	if v.Type == "externref" {
		bits++
	}
	return bits, nil
}

// matches compares a result with an expected value.
func (v *Value) matches(got uint64) bool {
	is32 := v.Type == "i32" || v.Type == "f32"
	if is32 {
		got &= 0xffff_ffff
	}
	switch v.Raw {
	case nil:
		return v.Type == "externref" || v.Type == "funcref"
	case "nan:canonical":
		return is32 && got&^sign32 == nan32 || !is32 && got&^sign64 == nan64
	case "nan:arithmetic":
		return is32 && got&nan32 == nan32 || !is32 && got&nan64 == nan64
	}
	want, err := v.bits()
	return err == nil && got == want
}
