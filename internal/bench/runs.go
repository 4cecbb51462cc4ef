package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

var errMissed = errors.New("budgets are missed")

// measureAll measures everything as often as is asked for. When a run fails, what
// it found before comes with the error as the last report.
func measureAll(ctx context.Context, o options) ([]*report, error) {
	var all []*report
	for number := range o.runs {
		r, err := measure(ctx, o)
		all = append(all, r)
		if err != nil {
			return all, err
		}
		if o.runs > 1 {
			fmt.Fprintf(os.Stderr, "run %d of %d: %s, %.1f min\n", number+1, o.runs, r.line(), time.Since(r.Began).Minutes())
		}
	}
	return all, nil
}

// line says in short how a run went.
func (r *report) line() string {
	met, tightest := 0, verdict{What: "none"}
	for _, v := range r.Budgets {
		if v.OK {
			met++
		}
		if !(v.Ratio <= tightest.Ratio) { // no number is worse than any
			tightest = v
		}
	}
	return fmt.Sprintf("%d of %d budgets are met, %.0f %% used of the tightest (%s)", met, len(r.Budgets), 100*tightest.Ratio, tightest.What)
}

// runsTable has the budgets of several runs beside each other.
func runsTable(all []*report) *table {
	t := &table{Columns: []string{"budget", "bound"}}
	for i := range all {
		t.Columns = append(t.Columns, fmt.Sprintf("run %d", i+1))
	}
	t.Columns = append(t.Columns, "")
	for i := range all[0].Budgets {
		v := all[0].Budgets[i]
		row := []any{v.What, v.bound()}
		for _, r := range all {
			row = append(row, r.Budgets[i].Figure.short())
			v.OK = v.OK && r.Budgets[i].OK
		}
		t.row(append(row, v.word())...)
	}
	return t
}

// conclude writes the document and the pictures out of the last run, and fails if any
// run missed a budget.
func conclude(o options, all []*report) error {
	last := all[len(all)-1]
	if o.document != "" {
		if err := last.renew(o.document); err != nil {
			return err
		}
	}
	if o.pictures != "" {
		if err := last.draw(o.pictures); err != nil {
			return err
		}
	}
	if !o.quick && slices.ContainsFunc(all, (*report).missed) {
		return errMissed
	}
	return nil
}

// show prints what the runs found: all of one, the budgets of several.
func show(o options, all []*report, failed bool) error {
	switch {
	case o.output == "json":
		for _, r := range all {
			if err := r.writeJSON(os.Stdout); err != nil {
				return err
			}
		}
		return nil
	case o.runs > 1 && !failed:
		return runsTable(all).writeText(os.Stdout)
	default:
		return all[len(all)-1].writeText(os.Stdout)
	}
}
