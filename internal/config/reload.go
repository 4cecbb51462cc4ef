package config

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"path/filepath"
	"slices"
)

// Change is a setting that was given another value.
type Change struct {
	Key string `json:"key"`
	// Old and New are as they may be shown, Origin is where New was written.
	Old    string `json:"old"`
	New    string `json:"new"`
	Origin string `json:"origin"`
	// Restart tells that the server goes on with Old until it is started again.
	Restart bool `json:"-"`
}

// Next is what a server that runs with s makes of settings that were read anew:
// those that a running server can take are from read, the others from s. Its
// error is of type Faults.
func (s *Settings) Next(read *Settings) (*Settings, []Change, error) {
	next := &Settings{
		values: maps.Clone(s.values), origins: maps.Clone(s.origins), digests: maps.Clone(s.digests),
		files: read.files, goLimit: s.goLimit,
	}
	var changes []Change
	for _, k := range table {
		if s.values[k.Name] == read.values[k.Name] && s.digests[k.Name] == read.digests[k.Name] {
			if k.Reload {
				next.takeOrigin(k.Name, read)
			}
			continue
		}
		changes = append(changes, Change{
			Key: k.Name, Old: k.shown(s.values[k.Name]), New: k.shown(read.values[k.Name]),
			Origin: read.Origin(k.Name), Restart: !k.Reload,
		})
		if k.Reload {
			next.values[k.Name], next.digests[k.Name] = read.values[k.Name], read.digests[k.Name]
			next.takeOrigin(k.Name, read)
		}
	}
	if faults := next.build(nil); len(faults) > 0 {
		return nil, nil, faults
	}
	return next, changes, nil
}

func (s *Settings) takeOrigin(key string, from *Settings) {
	delete(s.origins, key)
	if o, ok := from.origins[key]; ok {
		s.origins[key] = o
	}
}

// Files are those that a running server reads anew: of settings, of secrets, and
// of what is described in files of their own.
func (s *Settings) Files() []string {
	files := slices.Clone(s.files)
	for _, k := range table {
		if path := s.values[k.Name]; path != "" && k.Reload && (k.holds != "" || k.isFile) {
			files = append(files, path)
		}
	}
	return files
}

// Dirs are the directories of all files that Read reads again, and of what links
// among them lead to.
func (s *Settings) Dirs() []string {
	files := slices.Clone(s.files)
	for _, k := range table {
		if path := s.values[k.Name]; path != "" && (k.holds != "" || k.isFile) {
			files = append(files, path)
		}
	}
	var dirs []string
	for _, file := range files {
		dirs = append(dirs, filepath.Dir(file))
		if target, err := filepath.EvalSymlinks(file); err == nil {
			dirs = append(dirs, filepath.Dir(target))
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// digestFiles notes what is in files that others read, so that a change in them is
// seen. That one cannot be read is for those to tell.
func (s *Settings) digestFiles() {
	s.digests = map[string]string{}
	for _, k := range table {
		if path := s.values[k.Name]; k.isFile && path != "" {
			content, _ := readBounded(path, maxFileBytes)
			sum := sha256.Sum256(content)
			s.digests[k.Name] = hex.EncodeToString(sum[:])
		}
	}
}
