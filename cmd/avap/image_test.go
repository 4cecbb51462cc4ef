package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/avapd/avapd/internal/config"
)

// TestImage holds the image to what it promises: it is built of what is named by a
// version, ends up with nothing but the program, whose user is not root, and its
// settings and commands are ones that the program knows.
func TestImage(t *testing.T) {
	content, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(content), "\\\n", " ")
	from := regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(text, -1)
	if len(from) < 2 || from[len(from)-1][1] != "scratch" {
		t.Errorf("the image is built in %d stages and ends on %v", len(from), from)
	}
	for _, stage := range from[:len(from)-1] {
		if _, tag, _ := strings.Cut(stage[1], ":"); tag == "" || tag == "latest" {
			t.Errorf("%s is another one tomorrow", stage[1])
		}
	}
	last := text[strings.LastIndex(text, "\nFROM "):]
	if user := regexp.MustCompile(`(?m)^USER (\d+):(\d+)$`).FindStringSubmatch(last); user == nil || user[1] == "0" || user[2] == "0" {
		t.Errorf("the user is %v", user)
	}
	known := map[string]bool{}
	for _, k := range config.Keys() {
		known[k.Env()] = true
	}
	variables := regexp.MustCompile(`AVAP_\w+`).FindAllString(last, -1)
	for _, variable := range variables {
		if !known[variable] {
			t.Errorf("%s is no setting", variable)
		}
	}
	if len(variables) == 0 {
		t.Error("the image has no settings")
	}
	for _, command := range []string{`(?m)^HEALTHCHECK .*CMD (\[.*\])$`, `(?m)^CMD (\[.*\])$`} {
		var words []string
		found := regexp.MustCompile(command).FindStringSubmatch(last)
		if found == nil || json.Unmarshal([]byte(found[1]), &words) != nil {
			t.Fatalf("%s is nowhere", command)
		}
		words = slices.DeleteFunc(words, func(word string) bool { return word == "/avap" })
		if out, err := exec.CommandContext(t.Context(), "avap", append(words, "--help")...).CombinedOutput(); err != nil || len(words) == 0 {
			t.Errorf("avap %v: %v, %s", words, err, out)
		}
	}
}

// TestImageData holds the image to a data directory that its user owns and that
// is a volume: nothing else on an empty image can be written to. What a volume
// begins with is what was there before its line.
func TestImageData(t *testing.T) {
	content, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	dir := regexp.MustCompile(`AVAP_DATA_DIR=(\S+)`).FindStringSubmatch(text)
	user := regexp.MustCompile(`(?m)^USER (\S+)$`).FindStringSubmatch(text)
	if dir == nil || user == nil {
		t.Fatal("the image has no data directory, or no user")
	}
	copied := regexp.MustCompile(`(?m)^COPY .*--chown=` + user[1] + ` \S+ ` + dir[1] + `$`).FindStringIndex(text)
	volume := strings.Index(text, "\nVOLUME "+dir[1]+"\n")
	if copied == nil || volume < copied[1]-1 {
		t.Errorf("%s is not owned by %s before it becomes a volume", dir[1], user[1])
	}
}
