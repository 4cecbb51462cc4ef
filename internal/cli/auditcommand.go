package cli

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/avapd/avapd/internal/audit"
	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/signature"
	"github.com/avapd/avapd/internal/store"
)

func auditCommand(p *Process) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Verify the audit log of a server, or export it",
		Long: `Verify the audit log of a server, or export it. It is the file audit.db in the
data directory or, with --postgres-url, what all nodes have in that database. A
server may be running meanwhile.`,
		Example: "  avap audit verify --data-dir /var/lib/avap\n  avap audit export > audit.ndjson\n  avap audit verify audit.ndjson",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(auditVerify(p), auditExport(p))
	return cmd
}

// auditTrust is what a verifier knows besides the log.
type auditTrust struct{ keys, checkpoint string }

func auditVerify(p *Process) *cobra.Command {
	var output string
	var unsigned bool
	var trust auditTrust
	cmd := &cobra.Command{
		Use:   "verify [FILE]",
		Short: "Find out whether a record was changed, or is missing",
		Long: `Find out whether a record was changed, is missing or stands in another place:
in the audit log of a server, or in an export. Each hash is made anew, and each
checkpoint has to be signed by the key of its chain. The first record that is
wrong is named for each chain, and the exit code is 6 then. Records that fit
together and have no checkpoint may have been made anew by anybody: the exit
code is 8, unless --unsigned says that this will do. On the way it is told on
stderr how many records were read.

Whoever can write the log and has the key can write another log, and who can
write it can take checkpoints away and make anew what was behind them: it is told
up to which record and time the log is proven. --key names who counts, and
--checkpoint a checkpoint that was kept elsewhere, up to which all has to be there
as it was; for a data directory it is the one in the file audit.checkpoint, if
there is one.`,
		Example: "  avap audit verify --data-dir /var/lib/avap --output json\n  avap audit verify --postgres-url-file /run/secrets/avap-postgres\n  avap audit verify audit.ndjson --key nodes.txt",
		Args:    arguments(0, 1, "one export at most"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := chosen("output", output, "text", "json"); err != nil {
				return err
			}
			report, err := runVerify(cmd, p, args, trust, output == "text")
			if err != nil {
				return err
			}
			return printAudit(p, output, &report, unsigned)
		},
	}
	outputFlag(cmd, &output)
	cmd.Flags().BoolVar(&unsigned, "unsigned", false, "succeed although no checkpoint proves the records of a chain")
	cmd.Flags().StringVar(&trust.keys, "key", "", "public `key` that counts, as the log of the server shows it, or a file of keys: one per line, or PEM")
	cmd.Flags().StringVar(&trust.checkpoint, "checkpoint", "", "`file` of a checkpoint that was kept elsewhere")
	config.AddFlags(cmd.Flags(), "data_dir", "postgres.url", "postgres.url_file")
	return cmd
}

func runVerify(cmd *cobra.Command, p *Process, args []string, trust auditTrust, progress bool) (audit.Report, error) {
	c, err := config.Load(cmd.Flags(), p.Environ)
	if err != nil {
		return audit.Report{}, configError(err)
	}
	fromDir := len(args) == 0 && c.Postgres.URL == ""
	o, err := trust.options(c, fromDir)
	if err != nil {
		return audit.Report{}, err
	}
	if progress {
		o.Progress = func(done, total int64) { showProgress(p.Stderr, done, total) }
	}
	if len(args) == 1 {
		in, err := os.Open(args[0])
		if err != nil {
			return audit.Report{}, usageError("%s", fileProblem(args[0], err))
		}
		report, err := audit.VerifyExport(in, o)
		if err != nil {
			return report, usageError("%s: %v", args[0], errors.Join(err, in.Close()))
		}
		return report, in.Close()
	}
	j, end, err := openJournal(cmd.Context(), c)
	if err != nil {
		return audit.Report{}, err
	}
	report, err := audit.VerifyJournal(cmd.Context(), j, o)
	if err = errors.Join(err, end()); err != nil {
		return report, migrateError(c, err)
	}
	return report, nil
}

// options reads the files that say what counts.
func (t auditTrust) options(c *config.Config, fromDir bool) (o audit.VerifyOptions, err error) {
	if t.keys != "" {
		if o.Keys, err = auditKeys(t.keys); err != nil {
			return o, err
		}
	}
	file, wanted := t.checkpoint, t.checkpoint != ""
	if !wanted && fromDir {
		file = filepath.Join(c.DataDir, audit.CheckpointFileName)
	}
	if file == "" {
		return o, nil
	}
	checkpoint, err := audit.ReadCheckpoint(file)
	switch {
	case err == nil:
		o.Pinned = []audit.Checkpoint{checkpoint}
	case wanted || !errors.Is(err, fs.ErrNotExist):
		return o, usageError("%s: %v", file, err)
	}
	return o, nil
}

// auditKeys are the keys that a flag gives: one as the log of a server and the
// exports write it, or a file of such ones, or of keys in the forms of files.
func auditKeys(flag string) ([]ed25519.PublicKey, error) {
	if keys := hexKeys(flag); keys != nil {
		return keys, nil
	}
	content, err := readFile(flag)
	if err != nil {
		return nil, usageError("--key %s; it takes a file, or the key that the log of the server shows at its start", fileProblem(flag, err))
	}
	if keys := hexKeys(string(content)); keys != nil {
		return keys, nil
	}
	parsed, err := signature.ParsePublicKeys(content)
	if err != nil {
		return nil, usageError("--key %s: %v", flag, err)
	}
	keys := make([]ed25519.PublicKey, len(parsed))
	for i, k := range parsed {
		keys[i] = bytes.Clone(k.Key)
	}
	return keys, nil
}

// hexKeys are the keys in a text of hexadecimal ones, and nil if it is another.
func hexKeys(text string) (keys []ed25519.PublicKey) {
	for word := range strings.FieldsSeq(text) {
		key, err := hex.DecodeString(word)
		if err != nil || len(key) != ed25519.PublicKeySize {
			return nil
		}
		keys = append(keys, key)
	}
	return keys
}

func showProgress(out io.Writer, done, total int64) {
	if total > 0 {
		fmt.Fprintf(out, "%d of about %d records, %d %%\n", done, total, 100*done/max(total, done))
	} else {
		fmt.Fprintf(out, "%d records\n", done)
	}
}

// openJournal opens the journal that the settings name, to read it.
func openJournal(ctx context.Context, c *config.Config) (j store.Journal, end func() error, err error) {
	if c.Postgres.URL != "" {
		postgres, err := store.OpenPostgres(ctx, c.Postgres.URL, store.Options{})
		if err != nil {
			return nil, nil, usageError("the configuration has faults\npostgres.url: %v", err)
		}
		return postgres.Journal(), postgres.Close, nil
	}
	file := filepath.Join(c.DataDir, store.JournalFileName)
	journal, err := store.ReadSQLiteJournal(ctx, file, store.Options{})
	if err != nil {
		return nil, nil, usageError("cannot read %s: %v; check --data-dir", file, err)
	}
	return journal, journal.Close, nil
}

func printAudit(p *Process, output string, report *audit.Report, unsigned bool) error {
	failed := error(nil)
	switch {
	case !report.OK:
		failed = &exitError{code: exitSignature}
	case !report.Proven && !unsigned:
		failed = &exitError{code: exitUnproven}
	}
	if output == "json" {
		return errors.Join(printJSON(p, report), failed)
	}
	if len(report.Chains) == 0 {
		return usageError("there is no record in it; name the data directory of a server, or an export")
	}
	for _, c := range report.Chains {
		if _, err := fmt.Fprintf(p.Stdout, "node %s: %s\n", c.Node, judged(&c)); err != nil {
			return written(err)
		}
	}
	return failed
}

// judged words what was found out about a chain. Hashes alone prove nothing, as
// whoever changes a record can make them anew.
func judged(c *audit.ChainReport) string {
	switch {
	case c.Problem != "":
		return fmt.Sprintf("record %d is the first that is wrong: %s", c.FirstBad, c.Problem)
	case c.Checkpoints == 0:
		return fmt.Sprintf("records %d to %d fit together, and no signed checkpoint proves them; --unsigned accepts that", c.First, c.Last)
	case c.SignedUntil < c.Last:
		return fmt.Sprintf("records %d to %d are right, and proven up to record %d, by %s; nothing proves the %d behind it", c.First, c.Last, c.SignedUntil, lastCheckpoint(c), c.Last-c.SignedUntil)
	}
	return fmt.Sprintf("records %d to %d are right, and proven by %s", c.First, c.Last, lastCheckpoint(c))
}

// lastCheckpoint says since when nobody can have taken away what proves a chain.
func lastCheckpoint(c *audit.ChainReport) string {
	of := "the only checkpoint"
	if c.Checkpoints > 1 {
		of = fmt.Sprintf("the last of %d checkpoints", c.Checkpoints)
	}
	return of + ", signed at " + c.SignedAt.Format(time.RFC3339)
}

func auditExport(p *Process) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the audit log as lines of JSON",
		Long: `Write the audit log as lines of JSON, with the checkpoints, so that
"avap audit verify" can read them. GET /api/v1/audit of a running server
does so, too, and has filters.`,
		Example: "  avap audit export --data-dir /var/lib/avap > audit.ndjson",
		Args:    arguments(0, 0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(cmd.Flags(), p.Environ)
			if err != nil {
				return configError(err)
			}
			j, end, err := openJournal(cmd.Context(), c)
			if err != nil {
				return err
			}
			err = audit.ExportJournal(cmd.Context(), j, p.Stdout, audit.Filter{})
			if err = errors.Join(err, end()); err != nil {
				return migrateError(c, err)
			}
			return nil
		},
	}
	config.AddFlags(cmd.Flags(), "data_dir", "postgres.url", "postgres.url_file")
	return cmd
}
