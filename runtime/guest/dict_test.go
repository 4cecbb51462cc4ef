package guest

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"github.com/avapd/avapd/runtime/abi"
)

// model is a dict as Go has it: a map, and the order of insertion.
type model struct {
	values map[any]int64
	order  []any
}

// normal makes one key of those that are equal.
func normal(key any) any {
	switch k := key.(type) {
	case bool:
		return map[bool]int64{true: 1}[k]
	case int:
		return int64(k)
	case float64:
		if k == float64(int64(k)) {
			return int64(k)
		}
	}
	return key
}

func (m *model) set(key any, value int64) {
	k := normal(key)
	if _, ok := m.values[k]; !ok {
		m.order = append(m.order, key)
	}
	m.values[k] = value
}

func (m *model) remove(key any) {
	k := normal(key)
	delete(m.values, k)
	for i, other := range m.order {
		if normal(other) == k {
			m.order = append(m.order[:i:i], m.order[i+1:]...)
			return
		}
	}
}

func (m *model) show() string {
	var items []string
	for _, key := range m.order {
		items = append(items, fmt.Sprintf("%s: %d", show(val(key)), m.values[normal(key)]))
	}
	return "{" + strings.Join(items, ", ") + "}"
}

func keyFor(n byte) any {
	switch n % 5 {
	case 0:
		return fmt.Sprintf("key%d", n)
	case 1:
		return float64(n) / 2
	case 2:
		return n%2 == 0
	case 3:
		return strings.Repeat("é", int(n%20))
	}
	return int(n) - 128
}

// runDict performs operations on a dict and on the model.
func runDict(t *testing.T, operations []byte, keys func(byte) any) {
	d, m := NewDict(0), &model{values: map[any]int64{}}
	for i := 0; i+1 < len(operations); i += 2 {
		key := keys(operations[i+1])
		k, n := val(key), normal(key)
		before, exists := m.values[n]
		switch operations[i] % 8 {
		case 0, 1, 2, 3:
			DictSet(d, k, val(i))
			m.set(key, int64(i))
		case 4:
			if got := MethodPop(d, k, val(-1)); exists != (got.int() >= 0) || exists && got.int() != before {
				t.Fatalf("pop %s = %s, want %d %t", show(k), show(got), before, exists)
			}
			m.remove(key)
		default:
			got := Index(d, k)
			if exists != !got.failed() || exists && got.int() != before {
				t.Fatalf("index %s = %s, want %d %t", show(k), show(got), before, exists)
			}
		}
		if int(d.dict().count()) != len(m.order) {
			t.Fatalf("count = %d, want %d", d.dict().count(), len(m.order))
		}
	}
	if got := show(d); got != m.show() {
		t.Fatalf("got  %s\nwant %s", got, m.show())
	}
}

func TestDictAgainstModel(t *testing.T) {
	for seed := range int64(60) {
		start(t)
		r := rand.New(rand.NewSource(seed))
		operations := make([]byte, r.Intn(3000))
		r.Read(operations)
		spread := byte(1 + r.Intn(255))
		runDict(t, operations, func(n byte) any { return keyFor(n % spread) })
	}
}

func FuzzDict(f *testing.F) {
	f.Add([]byte("\x00\x01\x00\x02\x04\x01\x05\x02"))
	f.Fuzz(func(t *testing.T, operations []byte) {
		start(t)
		runDict(t, operations, keyFor)
	})
}

// A test begins with no key that was read last, as an execution does: the dict
// may lie where one of the test before lay.
func TestNoLastKeyAtFirst(t *testing.T) {
	const n = abi.DictLinear + 1 // the first key that is looked up makes the index
	for first := range 2 {
		t.Run(fmt.Sprint("from ", first), func(t *testing.T) {
			start(t)
			d := NewDict(0)
			for i := range n {
				DictSet(d, val((i+first)%n), val(i))
			}
			want(t, "a key", Index(d, val(n-1)), n-1-first)
		})
	}
}

func TestDictGrowsAndShrinks(t *testing.T) {
	start(t)
	const n = 20000
	d := NewDict(0)
	for i := range n {
		DictSet(d, val(i), val(i*2))
		DictSet(d, val(fmt.Sprint("k", i)), val(i))
	}
	for i := range n {
		want(t, "int key", Index(d, val(float64(i))), i*2)
		want(t, "text key", Index(d, val(fmt.Sprint("k", i))), i)
	}
	for i := range n - 1 {
		MethodPop(d, val(i), missingValue)
		MethodPop(d, val(fmt.Sprint("k", i)), missingValue)
	}
	want(t, "what is left", d, pairs{n - 1, 2 * (n - 1), fmt.Sprint("k", n-1), n - 1})
	if d.dict().used() > 4*abi.DictLinear {
		t.Errorf("%d entries in use for 2 that live", d.dict().used())
	}
	queue := NewDict(0)
	for i := range 10 * n { // first in, first out
		DictSet(queue, val(i), val(i))
		if i >= 100 {
			MethodPop(queue, val(i-100), missingValue)
		}
	}
	if queue.dict().cap() > 1024 {
		t.Errorf("a queue of 100 took room for %d", queue.dict().cap())
	}
}

func TestDictFromHost(t *testing.T) {
	start(t)
	// The host writes entries of any number, without hashes or index.
	d := NewDict(50).dict()
	for i := range uint32(50) {
		d.add(val(fmt.Sprint("name", i)), integer(int64(i)))
	}
	for i := range 50 {
		want(t, "host's key", Index(dictValue(d), val(fmt.Sprint("name", i))), i)
	}
	DictSet(dictValue(d), val("name7"), val("new"))
	want(t, "changed key", Index(dictValue(d), val("name7")), "new")
	if d.count() != 50 {
		t.Errorf("count = %d, want 50", d.count())
	}
}

func TestUnhashable(t *testing.T) {
	start(t)
	unhashable := failsWith(abi.ErrUnhashable)
	d := val(pairs{"a", 1})
	wantInt32(t, "set", DictSet(d, val([]any{}), val(1)), unhashable)
	wantInt32(t, "set index", SetIndex(d, val(pairs{}), val(1)), unhashable)
	want(t, "index", Index(d, val([]any{})), unhashable)
	want(t, "get", MethodGet(d, val([]any{}), missingValue), unhashable)
	want(t, "pop", MethodPop(d, val([]any{}), missingValue), unhashable)
}

func TestHashesSpread(t *testing.T) {
	start(t)
	for name, key := range map[string]func(i int) any{
		"ints":      func(i int) any { return i },
		"multiples": func(i int) any { return i << 32 },
		"floats":    func(i int) any { return float64(i) + 0.5 },
		"texts":     func(i int) any { return fmt.Sprint(i) },
	} {
		const n, slots = 4096, 8192
		var fill [slots]int
		worst := 0
		for i := range n {
			slot := hashKey(val(key(i))) % slots
			fill[slot]++
			worst = max(worst, fill[slot])
		}
		if worst > 9 {
			t.Errorf("%s: %d keys in one slot", name, worst)
		}
	}
	k := hashKey(val("abc"))
	seed := load64(abi.HashSeed)
	store64(abi.HashSeed, seed+1)
	if k == hashKey(val("abc")) {
		t.Error("the seed has no part in the hash")
	}
	store64(abi.HashSeed, seed)
}

func TestLoadShort(t *testing.T) {
	start(t)
	p := textOf("\x81234567\xff").textPtr()
	for n := range uint32(8) {
		want := uint64(0)
		for i := range n {
			want |= uint64(load8(p+Ptr(i))) << (8 * i)
		}
		if got := loadShort(p, n); got != want {
			t.Errorf("%d bytes: %#x, want %#x", n, got, want)
		}
	}
}

// TestLastKey holds that what was read last does not outlive what changes it.
func TestLastKey(t *testing.T) {
	start(t)
	d := val(bigDict())
	same := func(s string) Value { return Concat(val(s[:1]), val(s[1:])) } // elsewhere in memory
	key, again := same("new"), same("new")
	if MethodGet(d, key, null()).Tag != abi.KindNull {
		t.Fatal("a key that is not there was found")
	}
	DictSet(d, again, val(1))
	if got := Index(d, key); got.int() != 1 {
		t.Errorf("after another text of the same bytes was set: %d", got.int())
	}
	DictSet(d, key, val(2))
	if got := Index(d, again); got.int() != 2 {
		t.Errorf("after it was set: %d", got.int())
	}
	other := val(bigDict())
	if Contains(key, other) != 0 {
		t.Error("the key was found in another dict")
	}
	Index(d, key)
	MethodPop(d, again, undefined())
	if Contains(key, d) != 0 {
		t.Error("the key was found after it was removed")
	}
	DictSet(d, key, val(3))
	for i := range 100 { // the dict grows, and closes its gaps
		DictSet(d, val(1000+i), null())
		if got := Index(d, key); got.int() != 3 {
			t.Fatalf("among %d more: %d", i, got.int())
		}
	}
	for i := range 100 {
		Index(d, key)
		MethodPop(d, val(1000+i), undefined())
		if got := Index(d, key); got.int() != 3 {
			t.Fatalf("after %d were removed: %d", i, got.int())
		}
	}
	DictSet(d, val(1), val("one"))
	if Index(d, val(1)); Index(d, val(true)).textLen() != 3 || Index(d, val(1.0)).textLen() != 3 {
		t.Error("equal keys of other kinds differ")
	}
}
