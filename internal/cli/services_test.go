package cli

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

// Services start in the order of the list and stop in the opposite one. What has
// not started is not stopped, and one that fails keeps no other from ending.
func TestServices(t *testing.T) {
	var events []string
	broken := errors.New("broken")
	of := func(name string, start, stop error) service {
		return service{
			name:  name,
			start: func(context.Context) error { events = append(events, "+"+name); return start },
			stop:  func(context.Context) error { events = append(events, "-"+name); return stop },
		}
	}
	silent := of("silent", nil, nil)
	silent.stop = nil
	for name, c := range map[string]struct {
		list       []service
		start      error
		stop, want string
	}{
		"all":         {[]service{of("a", nil, nil), silent, of("b", nil, nil)}, nil, "", "+a +silent +b -b -a"},
		"start fails": {[]service{of("a", nil, nil), of("b", broken, nil), of("c", nil, nil)}, broken, "", "+a +b -a"},
		"stop fails":  {[]service{of("a", nil, broken), of("b", nil, nil), of("c", nil, broken)}, nil, "stop c: broken\nstop a: broken", "+a +b +c -c -b -a"},
	} {
		t.Run(name, func(t *testing.T) {
			events = nil
			var s running
			if err := s.start(t.Context(), c.list); !errors.Is(err, c.start) {
				t.Errorf("start: %v", err)
			}
			stop := ""
			if err := s.stop(t.Context()); err != nil {
				stop = err.Error()
			}
			if stop != c.stop || !slices.Equal(events, strings.Fields(c.want)) {
				t.Errorf("stop: %q; %v, want %s", stop, events, c.want)
			}
			if err := s.stop(t.Context()); err != nil || len(events) != len(strings.Fields(c.want)) {
				t.Errorf("stopped twice: %v, %v", err, events)
			}
		})
	}
}
