package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

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
