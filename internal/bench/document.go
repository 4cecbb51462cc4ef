package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// stamp tells runs apart. It stands in every part of a document, unseen, so that
// parts of several runs are not taken for one.
func (r *report) stamp() string { return "<!-- run " + r.Began.UTC().Format(time.RFC3339) + " -->" }

// origin says what the figures belong to.
func (r *report) origin() string {
	return fmt.Sprintf("%s. The run of %s, at %s.", r.Machine, r.Began.UTC().Format(time.RFC3339), r.Commit)
}

// documentParts are the names of what a document has between markers.
func documentParts() []string {
	names := []string{"machine", "budgets"}
	for _, s := range sections {
		names = append(names, s.name)
	}
	return names
}

// renew replaces what stands between the markers by what a whole run found, a missed
// budget too: who picks good runs has no figures. A document is of one run, and those of
// a quick one are none.
func (r *report) renew(path string) error {
	switch {
	case r.Quick:
		return fmt.Errorf("a quick run has no figures for %s", path)
	case len(r.Sections) != len(sections):
		return fmt.Errorf("%s takes the tables of one run of all sections", path)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text := string(raw)
	parts := map[string]string{"machine": r.origin(), "budgets": r.budgetTable().markdown()}
	for _, s := range r.Sections {
		parts[s.Name] = s.markdown()
	}
	for name, part := range parts {
		before, _, after, err := between(text, name)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		text = before + r.stamp() + "\n" + strings.TrimSpace(part) + "\n" + after
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// between cuts a text at the markers of a name, which stay outside.
func between(text, name string) (before, part, after string, err error) {
	open, shut := "<!-- bench "+name+" -->\n", "<!-- end -->"
	before, rest, ok := strings.Cut(text, open)
	part, after, ended := strings.Cut(rest, shut)
	if !ok || !ended {
		return "", "", "", fmt.Errorf("there is no place for %s: %q and %q", name, strings.TrimSpace(open), shut)
	}
	return before + open, part, shut + after, nil
}

// checkDocument finds out whether a document shows one run, in which every budget
// that there is was measured.
func checkDocument(text string) error {
	var errs []error
	first := ""
	for _, name := range documentParts() {
		_, part, _, err := between(text, name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		stamp, _, _ := strings.Cut(part, "\n")
		switch {
		case !strings.HasPrefix(stamp, "<!-- run "):
			errs = append(errs, fmt.Errorf("%s does not tell which run it is of", name))
		case first == "":
			first = stamp
		case stamp != first:
			errs = append(errs, fmt.Errorf("%s is of %s, others are of %s", name, stamp, first))
		}
		if name == "budgets" {
			errs = append(errs, checkBudgets(part))
		}
	}
	return errors.Join(errs...)
}

// checkBudgets looks for every budget among the lines of a table.
func checkBudgets(part string) error {
	var errs []error
	for i := range budgets {
		start := "| " + budgets[i].what + " |"
		_, rest, ok := strings.Cut(part, start)
		line, _, _ := strings.Cut(rest, "\n")
		if !ok || !strings.HasSuffix(line, "| pass |") && !strings.HasSuffix(line, "| MISS |") {
			errs = append(errs, fmt.Errorf("no budget: %s%s", start, line))
		}
	}
	return errors.Join(errs...)
}
