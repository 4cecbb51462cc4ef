package cli

import "github.com/spf13/cobra"

func buildCommand(*Process) *cobra.Command { return &cobra.Command{Use: "build"} }
