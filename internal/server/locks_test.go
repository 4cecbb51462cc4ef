package server

import (
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/avapd/avapd/internal/engine"
)

// partlyShared are the types of which there are many, so that two requests rarely
// meet in one, and shared are those with a lock that every request needs:
// docs/rationale.md says why.
var (
	partlyShared = []any{watchShard{}, endedPlace{}}
	shared       = []string{"admission.Gate"}
	// A family is one execution and what it starts, and its lock that of its memory.
	ofOne = []string{"wasmhost.family"}
)

// Every lock of this project's that can be reached from the server or its engine is
// held, and a warm request is answered all the same.
func TestWarmRequestTakesNoSharedLock(t *testing.T) {
	if testing.Short() {
		t.Skip("an engine for each way takes long to make with the race detector, which runs the short tests")
	}
	for _, p := range paths(t) {
		t.Run(p.name, func(t *testing.T) {
			s, dial := p.serve(t, nil, nil)
			a := dial()
			warm(t, s, a)
			locks := holder{seen: map[address]bool{}}
			locks.walk(reflect.ValueOf(s), "server")
			defer locks.release()
			locks.mustHave(t, s)
			answered := make(chan error, 1)
			go func() { answered <- a.ask() }()
			select {
			case err := <-answered:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(patience):
				t.Errorf("a request waits for %s", locks.culprits(answered))
			}
		})
	}
}

// warm asks until everything is compiled.
func warm(t *testing.T, s *Server, a *asker) {
	t.Helper()
	e, _ := s.engine.(*engine.Engine)
	for i := 0; i < 50 || e != nil && e.Stats().Cache.Pending > 0; i++ {
		if err := a.ask(); err != nil {
			t.Fatal(err)
		}
	}
}

type address struct {
	at unsafe.Pointer
	is reflect.Type
}

// holder takes the locks that it finds.
type holder struct {
	seen map[address]bool
	held []heldLock
}

type heldLock struct {
	name string
	sync.Locker
}

func (h *holder) release() {
	for _, l := range h.held {
		l.Unlock()
	}
	h.held = nil
}

// mustHave makes sure that the walk came by where it should.
func (h *holder) mustHave(t *testing.T, s *Server) {
	t.Helper()
	want := []string{"server.watcher.looking"}
	if _, ok := s.engine.(*engine.Engine); ok {
		want = append(want, "engine.Engine.changing", "engine.cache.mu", "fairqueue.Slots.mu", "wasmhost.pool.mu", "registry.Registry.mu", "apps.Registry.changes")
	}
	for _, name := range want {
		if !slices.ContainsFunc(h.held, func(l heldLock) bool { return l.name == name }) {
			t.Errorf("the lock %s was not found", name)
		}
	}
}

// culprits releases locks until the request is answered, and tells which those were
// that it waited for last.
func (h *holder) culprits(answered <-chan error) string {
	defer h.release()
	for i, l := range h.held {
		l.Unlock()
		select {
		case <-answered:
			h.held = h.held[i+1:]
			return l.name
		case <-time.After(100 * time.Millisecond):
		}
	}
	h.held = nil
	return "something else"
}

// walk takes the locks in what a value leads to. Those of a struct are taken before
// its other fields are looked at.
func (h *holder) walk(v reflect.Value, name string) {
	switch v.Kind() {
	case reflect.Pointer:
		to := address{v.UnsafePointer(), v.Type()}
		if to.at != nil && !h.seen[to] {
			h.seen[to] = true
			h.walk(v.Elem(), name)
		}
	case reflect.Interface:
		h.walk(v.Elem(), name)
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			h.walk(v.Index(i), name)
		}
	case reflect.Map:
		for entries := v.MapRange(); entries.Next(); {
			h.walk(entries.Value(), name)
		}
	case reflect.Struct:
		h.walkStruct(v, name)
	}
}

func (h *holder) walkStruct(v reflect.Value, name string) {
	t := v.Type()
	switch {
	case t.PkgPath() == "sync/atomic" && strings.HasPrefix(t.Name(), "Pointer[") && v.CanAddr():
		at := reflect.NewAt(t, unsafe.Pointer(v.UnsafeAddr()))
		h.walk(at.MethodByName("Load").Call(nil)[0], name)
		return
	case !strings.HasPrefix(t.PkgPath(), "github.com/avapd/avapd/") || isShared(t):
		return
	}
	for i := range t.NumField() {
		if v.CanAddr() {
			h.take(v.Field(i), t.String()+"."+t.Field(i).Name)
		}
	}
	for i := range t.NumField() {
		h.walk(v.Field(i), name+"."+t.Field(i).Name)
	}
}

// take takes a field that is a lock.
func (h *holder) take(field reflect.Value, name string) {
	var lock interface {
		sync.Locker
		TryLock() bool
	}
	at := unsafe.Pointer(field.UnsafeAddr())
	switch field.Type() {
	case reflect.TypeFor[sync.Mutex]():
		lock = (*sync.Mutex)(at)
	case reflect.TypeFor[sync.RWMutex]():
		lock = (*sync.RWMutex)(at)
	default:
		return
	}
	lock.Lock()
	h.held = append(h.held, heldLock{name, lock})
}

func isShared(t reflect.Type) bool {
	for _, one := range partlyShared {
		if t == reflect.TypeOf(one) {
			return true
		}
	}
	return slices.Contains(shared, t.String()) || slices.Contains(ofOne, t.String())
}
