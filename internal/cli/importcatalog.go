package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/avapd/avapd/internal/catalogimport"
)

func importCatalogCommand(p *Process) *cobra.Command {
	var urlFile, output string
	cmd := &cobra.Command{
		Use:   "import-catalog [SOURCE]",
		Short: "Tell what becomes of the commands of a reference server",
		Long: `Read the catalogue of the vendor's reference server, the tables
obex_dapl_functions and avap_bytecode, and tell of every command whether it is
built in here, has to be rewritten as a script, or cannot come along, and what
stands here for what its Python uses. Nothing is written or run.

The source is the URL of the PostgreSQL database, or a file: a dump of the tables
as SQL text, a SQLite database, JSON, or the function table as CSV with a header.
A URL with a password is better kept in a file, named by --url-file.

The exit code is 0 if everything is built in, 1 if something needs work, 2 if
the catalogue cannot be read, and 7 if the database cannot be reached.`,
		Example: `  avap import-catalog dump.sql
  avap import-catalog --url-file url.txt --output json
  avap import-catalog postgres://reader@db.example.com/avap`,
		Args: arguments(0, 1, "one source"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := chosen("output", output, "text", "json"); err != nil {
				return err
			}
			if (urlFile == "") == (len(args) == 0) {
				return usageError("import-catalog takes a source or --url-file; see `%s --help`", cmd.CommandPath())
			}
			c, err := readCatalogue(cmd.Context(), p, args, urlFile)
			if err != nil {
				return err
			}
			return reportCatalogue(p, catalogimport.Assess(c), output)
		},
	}
	cmd.Flags().StringVar(&urlFile, "url-file", "", "`file` that holds the URL of the PostgreSQL database")
	cmd.Flags().StringVar(&output, "output", "text", "form of the report: text or json")
	completeFlag(cmd, "output", "text", "json")
	return cmd
}

func readCatalogue(ctx context.Context, p *Process, args []string, urlFile string) (*catalogimport.Catalogue, error) {
	source := urlFile
	if urlFile == "" {
		source = args[0]
	}
	url := source
	if urlFile != "" {
		text, err := readInput(p, urlFile)
		if err != nil {
			return nil, err
		}
		url = strings.TrimSpace(string(text))
	}
	var c *catalogimport.Catalogue
	var err error
	if urlFile != "" || strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://") {
		source = "the database"
		c, err = catalogimport.FromPostgres(ctx, url)
	} else {
		var file []byte
		if file, err = readInput(p, source); err != nil {
			return nil, err
		}
		c, err = catalogimport.FromFile(ctx, source, file)
	}
	switch {
	case errors.Is(err, catalogimport.ErrNoTable):
		return nil, usageError("%s: %v; dump the database of the reference server's definitions", source, err)
	case errors.Is(err, catalogimport.ErrUnreachable):
		return nil, failed(exitUnavailable, failureTold{
			Message: source + ": " + catalogimport.ErrUnreachable.Error(), NextStep: "Check the URL, and whether the database runs.",
		})
	case err != nil:
		return nil, usageError("%s: %v", source, err)
	}
	return c, nil
}

func reportCatalogue(p *Process, r *catalogimport.Report, output string) error {
	var err error
	if output == "json" {
		err = printJSON(p, r)
	} else {
		_, err = fmt.Fprint(p.Stdout, catalogueText(r))
		err = written(err)
	}
	if err == nil && r.Rewrite+r.LeftOut > 0 {
		return &exitError{code: exitScript}
	}
	return err
}

// catalogueText lists what needs work, then what needs a look, then the rest
// in one paragraph.
func catalogueText(r *catalogimport.Report) string {
	var b strings.Builder
	var same []string
	for _, c := range r.Commands {
		if c.Fate == catalogimport.BuiltIn && len(c.Notes) == 0 {
			same = append(same, printable(c.Name))
			continue
		}
		fmt.Fprintf(&b, "%-9s %s(%s)", fateWords[c.Fate], printable(c.Name), printable(strings.Join(c.Parameters, ", ")))
		if c.Description != "" {
			fmt.Fprintf(&b, ": %s", printable(strings.Join(strings.Fields(c.Description), " ")))
		}
		b.WriteByte('\n')
		for _, u := range c.Replace {
			if u.By == "" {
				fmt.Fprintf(&b, "          %s: scripts have nothing like it\n", printable(u.Uses))
			} else {
				fmt.Fprintf(&b, "          %s: %s\n", u.Uses, u.By)
			}
		}
		for _, note := range c.Notes {
			fmt.Fprintf(&b, "          %s\n", note)
		}
	}
	if len(same) > 0 {
		fmt.Fprintf(&b, "built in  %s\n", strings.Join(same, ", "))
	}
	fmt.Fprintf(&b, "%d commands: %d built in, %d to rewrite, %d left out\n", len(r.Commands), r.BuiltIn, r.Rewrite, r.LeftOut)
	return b.String()
}

var fateWords = map[catalogimport.Fate]string{catalogimport.BuiltIn: "built in", catalogimport.Rewrite: "rewrite", catalogimport.LeftOut: "left out"}
