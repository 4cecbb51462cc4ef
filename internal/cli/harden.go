package cli

import (
	"context"
	"os"
	"path/filepath"

	"github.com/avapd/avapd/internal/confine"
	"github.com/avapd/avapd/wasmhost/commands"
)

// systemPaths are what a server reads of the machine while it runs: how names are
// found, certificates of authorities, time zones, and how it fares. It is all of
// /etc, as rules hold for the files that were there when they were made, while
// resolv.conf and certificates are renewed by putting others in their place.
var systemPaths = []string{
	"/etc", "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager",
	"/usr/share/ca-certificates", "/usr/local/share/ca-certificates", "/usr/share/zoneinfo",
	"/proc/self", "/proc/stat", "/proc/meminfo", "/sys/fs/cgroup",
}

// harden takes from the process what it does not need any more. Nothing of that
// can be given back, so only a process that is the server's alone does it.
func (n *node) harden(context.Context) error {
	if !n.process.Alone {
		return nil
	}
	if err := confine.KeepPrivileges(); err != nil {
		n.log.Warn("the process may gain privileges by running a program", "error", err.Error())
	}
	level := confine.Level()
	switch mode := n.config.Hardening.Landlock; {
	case mode == "off", mode == "auto" && level == 0:
		n.log.Info("files are not out of reach", "hardening.landlock", mode, "level", level)
		return nil
	case level == 0:
		return usageError("hardening.landlock is required, but %v; set it to auto to start without", confine.ErrUnsupported)
	}
	paths, err := n.paths()
	if err != nil {
		return err
	}
	if err := confine.Enter(paths); err != nil {
		return usageError("%v; set hardening.landlock to off to start without it", err)
	}
	n.log.Info("files are out of reach", "level", level, "read", paths.Read, "write", paths.Write)
	return nil
}

// paths are those that the server needs: its data, its settings, and what these
// name.
func (n *node) paths() (confine.Paths, error) {
	c := n.config
	p := confine.Paths{
		// SQLite and uploads put into temporary files what is too large for memory.
		Write: append([]string{c.DataDir, os.TempDir(), "/var/tmp", os.DevNull}, c.Hardening.WritePaths...),
		Read:  append(append([]string{}, systemPaths...), c.Hardening.ReadPaths...),
	}
	p.Read = append(p.Read, n.reload.current.Dirs()...)
	for _, file := range n.appFiles {
		p.Read = append(p.Read, filepath.Dir(file))
	}
	for _, name := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR"} {
		if path := n.process.getenv(name); path != "" {
			p.Read = append(p.Read, filepath.SplitList(path)...)
		}
	}
	if c.Connectors.File == "" {
		return p, nil
	}
	named, err := commands.ReadConnectors(c.Connectors.File)
	if err != nil {
		return p, configError(err)
	}
	for _, connector := range named {
		if connector.URLFile != "" {
			p.Read = append(p.Read, filepath.Dir(connector.URLFile))
		}
		if connector.File != "" {
			p.Write = append(p.Write, filepath.Dir(connector.File))
		}
	}
	return p, nil
}
