package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// service is a part of a server that runs for as long as the server does. What it
// needs of others stands before it in the list of all of them.
type service struct {
	name string
	// start returns when the others can use it. It cleans up after itself if it fails.
	start func(context.Context) error
	// stop waits for the end of what start began, at most until the context
	// ends; nil if nothing is left running.
	stop func(context.Context) error
}

// running are the services that have started, in that order.
type running []service

// start starts them one after the other, and ends with the first that cannot.
func (s *running) start(ctx context.Context, all []service) error {
	for _, next := range all {
		if err := next.start(ctx); err != nil {
			return err
		}
		*s = append(*s, next)
	}
	return nil
}

// stop stops what has started, the last first: nobody loses what it still uses.
// One that fails keeps no other from ending.
func (s *running) stop(ctx context.Context) error {
	var errs []error
	for _, last := range slices.Backward(*s) {
		if last.stop == nil {
			continue
		}
		if err := last.stop(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", last.name, err))
		}
	}
	*s = nil
	return errors.Join(errs...)
}
