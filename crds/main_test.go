package crds_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"grove.io/grove/e2e/cluster"
)

var update = flag.Bool("update", false, "write the messages that the API server gives into testdata/invalid")

// apiServer starts an API server that serves Grove's API, once; TestMain stops it.
var apiServer = sync.OnceValues(func() (*cluster.Cluster, error) {
	c, err := cluster.Start(context.Background(), cluster.Options{APIServerOnly: true, Progress: os.Stderr})
	if err != nil {
		return nil, err
	}
	started = c
	return c, c.InstallCRDs(context.Background())
})

var started *cluster.Cluster

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if started != nil {
		if err := started.Stop(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// example is a file of testdata. Its documents are states of one object, one after the other.
type example struct {
	name      string
	documents []string
}

func examples(t testing.TB, dir string) []example {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", dir, "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatal("no examples in", dir, err)
	}
	all := make([]example, len(paths))
	for i, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		all[i] = example{name: name, documents: strings.Split(string(content), "---\n")}
	}
	return all
}
