// Package docs_test keeps the pages of documentation together.
package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	fence   = regexp.MustCompile("(?ms)^```.*?^```$")
	code    = regexp.MustCompile("`[^`\n]*`")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.*?)\s*$`)
	// notInAnchor is what GitHub drops from a heading for its anchor.
	notInAnchor = regexp.MustCompile(`[^\p{L}\p{N}\s_-]`)
	linkText    = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
)

func pages(t *testing.T) []string {
	t.Helper()
	pages, err := filepath.Glob("*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal("no pages", err)
	}
	return append(pages, "../README.md")
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// anchors are what links into a page may end with after "#".
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	for _, match := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		title := linkText.ReplaceAllString(match[1], "$1")
		slug := strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(title), ""), " ", "-")
		found[slug] = true
	}
	return found
}

// Links to files, and to places in pages, lead somewhere.
func TestLinks(t *testing.T) {
	for _, page := range pages(t) {
		text := code.ReplaceAllString(fence.ReplaceAllString(read(t, page), ""), "")
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			path, anchor, _ := strings.Cut(match[1], "#")
			if strings.Contains(path, "://") {
				continue
			}
			target := page
			if path != "" {
				target = filepath.Join(filepath.Dir(page), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", page, match[1])
			} else if anchor != "" && !anchors(read(t, target))[anchor] {
				t.Errorf("%s: %s has no heading for the link to %s", page, target, match[1])
			}
		}
	}
}

// A page that the list of pages doesn't have is found by nobody.
func TestAllPagesAreListed(t *testing.T) {
	list := read(t, "README.md")
	for _, page := range pages(t) {
		if base := filepath.Base(page); base != "README.md" && !strings.Contains(list, "("+base+")") {
			t.Errorf("docs/README.md doesn't list %s", base)
		}
	}
}

// What pods and people read by name is explained: environment variables, labels and annotations in names.md, conditions and their reasons
// in troubleshooting.md, unless they say that all is well.
func TestWordsAreExplained(t *testing.T) {
	names := read(t, "names.md")
	for constant, value := range constants(t, "labels.go") {
		if !strings.Contains(names, value) {
			t.Errorf("names.md doesn't explain %s (%s)", value, constant)
		}
	}
	fine := map[string]bool{
		"Applied": true, "Applying": true, "AllReplicasAvailable": true, "SufficientPods": true, "SufficientReplicas": true, "Enforced": true,
		"Succeeded": true, "Running": true, "TurnedOff": true, "Available": true, "Complete": true, "Ready": true,
		// Their messages lead to another one.
		"ReplicasUnavailable": true, "ChildrenMissing": true, "InsufficientReplicas": true, "BelowMinAvailable": true,
	}
	troubles := read(t, "troubleshooting.md")
	for constant, value := range constants(t, "conditions.go") {
		if !fine[value] && !strings.Contains(troubles, "`"+value+"`") {
			t.Errorf("troubleshooting.md doesn't explain %s (%s)", value, constant)
		}
	}
}

// What troubleshooting.md quotes of messages is what the code says. "…" stands for what differs, and for a name at either end.
func TestMessagesAreQuotedRightly(t *testing.T) {
	said := sources(t)
	for _, match := range code.FindAllString(fence.ReplaceAllString(read(t, "troubleshooting.md"), ""), -1) {
		quoted := strings.Trim(match, "`")
		if !strings.Contains(quoted, "…") || strings.Contains(quoted, "exceeded quota") { // Kubernetes' words
			continue
		}
		for part := range strings.SplitSeq(quoted, "…") {
			if part = strings.Trim(part, " ,"); !strings.Contains(said, part) {
				t.Errorf("nothing in controllers says %q, of %q", part, quoted)
			}
		}
	}
}

// joint is where a long string of Go is divided.
var joint = regexp.MustCompile(`" \+\s*"`)

// sources are all of controllers but tests, in one string, with their literals put together.
func sources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir("../controllers", func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		all.WriteString(read(t, path))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return joint.ReplaceAllString(all.String(), "")
}

// constants are those of a file of the API that have a string for a value, but for labels' values.
func constants(t *testing.T, file string) map[string]string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join("../apis/grove/v1alpha1", file), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	ast.Inspect(parsed, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for i, value := range spec.Values {
			if literal, ok := value.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if text, err := strconv.Unquote(literal.Value); err == nil {
					values[spec.Names[i].Name] = text
				}
			}
		}
		return true
	})
	if len(values) == 0 {
		t.Fatal("no constants in", file)
	}
	return values
}
