package kubebuild

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// script is a program that prints a text.
func script(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// Only a program of exactly the right version is taken instead of one that is built.
func TestFind(t *testing.T) {
	for _, test := range []struct {
		name, program, text string
		found               bool
	}{
		{"etcd", "etcd", `echo "etcd Version: 3.7.3"; echo "Go Version: go1.26.8"`, true},
		{"another etcd", "etcd", `echo "etcd Version: 3.7.2"`, false},
		{"one before its release", "etcd", `echo "etcd Version: 3.7.3-rc.1"`, false},
		{"Kubernetes", "kube-apiserver", `echo "Kubernetes v1.37.2"`, true},
		{"a vendor's", "kube-apiserver", `echo "Kubernetes v1.37.2-vendor.7"`, false},
		{"kubectl", "kubectl", `[ "$*" = "version --client" ] && echo "Client Version: v1.37.2"`, true},
		{"kwok", "kwok", `echo "kwok version v0.8.0 go1.26.8 (linux/amd64)"`, true},
		{"no version", "kwok", `echo unknown`, false},
		{"a program that fails", "kwok", `echo "kwok version v0.8.0"; exit 1`, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			path := script(t, dir, test.program, test.text)
			t.Setenv("KUBEBUILDER_ASSETS", "")
			t.Setenv("PATH", dir+string(os.PathListSeparator)+"/usr/bin"+string(os.PathListSeparator)+"/bin")
			versions := map[string]string{kubernetes: "v1.37.2", etcd: "v3.7.3", kwok: "v0.8.0"}
			p := programs[slices.IndexFunc(programs, func(p program) bool { return p.name == test.program })]
			got := p.find(t.Context(), versions[p.module])
			if want := map[bool]string{true: path}[test.found]; got != want {
				t.Errorf("want %q, got %q", want, got)
			}
		})
	}
}

// What envtest has goes before what the PATH has.
func TestFindLooksIntoAssetsFirst(t *testing.T) {
	assets, bin := t.TempDir(), t.TempDir()
	want := script(t, assets, "etcd", `echo "etcd Version: 3.7.3"`)
	script(t, bin, "etcd", `echo "etcd Version: 3.7.3"`)
	t.Setenv("KUBEBUILDER_ASSETS", assets)
	t.Setenv("PATH", bin)
	if got := programs[0].find(t.Context(), "v3.7.3"); got != want {
		t.Errorf("want %q, got %q", want, got)
	}
}

// Each program has a build tag by which the control plane is built without it.
func TestEachProgramCanBeLeftOut(t *testing.T) {
	for _, p := range programs {
		var others []program
		for _, other := range programs {
			if other.name != p.name {
				others = append(others, other)
			}
		}
		tags := without(others)
		if len(tags) != 1 {
			t.Fatalf("%s: %q", p.name, tags)
		}
		files, err := filepath.Glob("../controlplane/*.go")
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(files, func(file string) bool {
			text, err := os.ReadFile(file)
			return err == nil && string(text[:min(len(text), len("//go:build !"+tags[0]+"\n"))]) == "//go:build !"+tags[0]+"\n"
		}) {
			t.Errorf("no file of the control plane has the build tag %s", tags[0])
		}
	}
}

func TestCopyProgram(t *testing.T) {
	from := script(t, t.TempDir(), "etcd", "exit 0")
	to := filepath.Join(t.TempDir(), "etcd")
	if err := copyProgram(from, to); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(to)
	if err != nil || info.Mode().Perm()&0o111 == 0 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
