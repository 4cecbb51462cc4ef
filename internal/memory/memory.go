// Package memory finds out how much memory the process may use, and shares it out.
package memory

import (
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
)

// LimitBytes is the memory that the process may use: the machine's, or what a
// control group leaves of it. It is 0 where nobody says so.
func LimitBytes() int64 { return limitBytes(os.DirFS("/")) }

func limitBytes(root fs.FS) int64 {
	least := int64(0)
	lower := func(n int64) {
		if n > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	for line := range strings.SplitSeq(read(root, "proc/meminfo"), "\n") {
		if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
			lower(kib << 10)
		}
	}
	for line := range strings.SplitSeq(read(root, "proc/self/cgroup"), "\n") {
		// hierarchy:controllers:path, as cgroups(7) has it.
		parts := strings.SplitN(line, ":", 3)
		if len(parts) != 3 {
			continue
		}
		base, file := "sys/fs/cgroup", "memory.max"
		if parts[1] == "memory" {
			base, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		} else if parts[1] != "" {
			continue
		}
		// The limit of every group above holds as well.
		for group := path.Clean("/" + parts[2]); ; group = path.Dir(group) {
			n, err := strconv.ParseInt(strings.TrimSpace(read(root, path.Join(base, group, file))), 10, 64)
			if err == nil {
				lower(n)
			}
			if group == "/" {
				break
			}
		}
	}
	return least
}

// read gives the text of a file, or nothing.
func read(root fs.FS, name string) string {
	content, err := fs.ReadFile(root, name)
	if err != nil {
		return ""
	}
	return string(content)
}
