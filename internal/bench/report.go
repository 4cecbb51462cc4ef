package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// report is everything that a run found.
type report struct {
	// Began is when the run did, which tells it apart, and Commit what was measured.
	Began    time.Time        `json:"began"`
	Commit   string           `json:"commit"`
	Machine  string           `json:"machine"`
	Quick    bool             `json:"quick,omitempty"`
	Sections []*sectionReport `json:"sections"`
	Budgets  []verdict        `json:"budgets"`
}

type sectionReport struct {
	Name    string   `json:"name"`
	Title   string   `json:"title"`
	Seconds float64  `json:"seconds"`
	Notes   []string `json:"notes,omitempty"`
	Tables  []*table `json:"tables"`
	// Pictures are curves, for draw.
	Pictures []picture `json:"pictures,omitempty"`
	// Rounds were made, of which some were disturbed.
	Rounds    int `json:"rounds"`
	Disturbed int `json:"disturbed"`
}

type table struct {
	Columns []string `json:"columns"`
	Rows    [][]any  `json:"rows"` // of texts and figures
}

// table starts a table of the section.
func (b *bench) table(columns ...string) *table {
	t := &table{Columns: columns}
	b.section.Tables = append(b.section.Tables, t)
	return t
}

func (t *table) row(cells ...any) { t.Rows = append(t.Rows, cells) }

func (b *bench) note(format string, arguments ...any) {
	b.section.Notes = append(b.section.Notes, fmt.Sprintf(format, arguments...))
}

// texts are the cells of the table, columns first.
func (t *table) texts() [][]string {
	all := [][]string{t.Columns}
	for _, row := range t.Rows {
		var cells []string
		for _, c := range row {
			cells = append(cells, fmt.Sprint(c))
		}
		all = append(all, cells)
	}
	return all
}

func (r *report) missed() bool {
	return slices.ContainsFunc(r.Budgets, func(v verdict) bool { return !v.OK })
}

func (r *report) budgetTable() *table {
	t := &table{Columns: []string{"budget", "measured", "bound", "used", ""}}
	for i := range r.Budgets {
		v := &r.Budgets[i]
		t.row(v.What, v.Figure, v.bound(), fmt.Sprintf("%.0f %%", 100*v.Ratio), v.word())
	}
	return t
}

func (s *sectionReport) disturbance() string {
	switch {
	case s.Rounds == 0:
		return ""
	case s.Disturbed == 0:
		return fmt.Sprintf("%d rounds, none disturbed.", s.Rounds)
	default:
		return fmt.Sprintf("%d rounds, of which %d were disturbed and repeated as far as possible.", s.Rounds, s.Disturbed)
	}
}

func (r *report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

func (r *report) writeText(w io.Writer) error {
	fmt.Fprintln(w, r.origin())
	for _, s := range r.Sections {
		fmt.Fprintf(w, "\n%s (%s, %.0f s)\n", s.Title, s.Name, s.Seconds)
		for _, t := range s.Tables {
			fmt.Fprintln(w)
			if err := t.writeText(w); err != nil {
				return err
			}
		}
		for _, line := range append(s.Notes, s.disturbance()) {
			if line != "" {
				fmt.Fprintf(w, "  %s\n", line)
			}
		}
	}
	fmt.Fprintln(w, "\nBudgets")
	return r.budgetTable().writeText(w)
}

func (t *table) writeText(w io.Writer) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range t.texts() {
		fmt.Fprintln(out, "  "+strings.Join(row, "\t"))
	}
	return out.Flush()
}

// markdown is what the document shows of a section.
func (s *sectionReport) markdown() string {
	var parts []string
	for _, t := range s.Tables {
		parts = append(parts, t.markdown())
	}
	notes := append(slices.Clone(s.Notes), s.disturbance())
	parts = append(parts, strings.TrimSpace(strings.Join(notes, "\n")))
	return strings.TrimSpace(strings.Join(parts, "\n"))
}

func (t *table) markdown() string {
	var s strings.Builder
	for i, row := range t.texts() {
		s.WriteString("| " + strings.Join(row, " | ") + " |\n")
		if i == 0 {
			s.WriteString("| " + strings.TrimSuffix(strings.Repeat("--- | ", len(row)), " ") + "\n")
		}
	}
	return s.String()
}
