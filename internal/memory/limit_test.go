package memory

import (
	"testing"
	"testing/fstest"
)

func TestLimitBytes(t *testing.T) {
	const meminfo = "MemTotal:       16000000 kB\nMemFree:  1 kB\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"nothing known": {nil, 0},
		"machine":       {map[string]string{"proc/meminfo": meminfo}, 16000000 << 10},
		"unlimited":     {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, 16000000 << 10},
		"container":     {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "536870912\n"}, 512 << 20},
		"group above": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/slice/unit\n",
			"sys/fs/cgroup/slice/memory.max": "1073741824\n", "sys/fs/cgroup/slice/unit/memory.max": "max\n",
		}, 1 << 30},
		"first version": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/docker/a\n",
			"sys/fs/cgroup/memory/docker/a/memory.limit_in_bytes": "268435456\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":          "9223372036854771712\n",
		}, 256 << 20},
		"garbage": {map[string]string{"proc/meminfo": "MemTotal: lots", "proc/self/cgroup": "x\n::\n"}, 0},
	} {
		root := fstest.MapFS{}
		for file, content := range c.files {
			root[file] = &fstest.MapFile{Data: []byte(content)}
		}
		if got := limitBytes(root); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
