package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/avapd/avapd/runtime/abi"
)

// Version is the product's version; releases set it when linking.
var Version = "0.1.0-dev"

type versionInfo struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	ABI      int    `json:"abi"`
}

func versionCommand(p *Process) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version of avap and of the contract its modules follow",
		Example: "  avap version\n  avap version --output json",
		Args:    arguments(0, 0, "no argument"),
		RunE: func(*cobra.Command, []string) error {
			if err := chosen("output", output, "text", "json"); err != nil {
				return err
			}
			return printVersion(p, output)
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

func printVersion(p *Process, output string) error {
	info := versionInfo{Version: Version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, ABI: abi.Version}
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, s := range build.Settings {
			switch s.Key {
			case "vcs.revision":
				info.Commit = s.Value
			case "vcs.modified":
				info.Modified = s.Value == "true"
			}
		}
	}
	if output == "json" {
		return printJSON(p, info)
	}
	_, err := fmt.Fprintf(p.Stdout, "avap %s (ABI %d, %s, %s)\n", info.Version, info.ABI, info.Go, info.Platform)
	return written(err)
}

// written is the error of writing an answer.
func written(err error) error {
	if err == nil {
		return nil
	}
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
	}
	return fmt.Errorf("the output cannot be written: %w", err)
}

func printJSON(p *Process, v any) error {
	encoder := json.NewEncoder(p.Stdout)
	encoder.SetEscapeHTML(false)
	return written(encoder.Encode(v))
}
