// Package manifest reads the PodCliqueSets of files, as kubectl's -f does.
package manifest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"grove.io/grove/apis/grove/v1alpha1"
)

// Kind is the kind that is read.
const Kind = "PodCliqueSet"

// Document is an object of a file.
type Document struct {
	// From is the file, or "stdin".
	From string
	*unstructured.Unstructured
}

// IsSet tells whether the document is a PodCliqueSet of a version that this program knows.
func (d Document) IsSet() bool {
	return d.GetKind() == Kind && d.GetAPIVersion() == v1alpha1.SchemeGroupVersion.String()
}

// Read reads all documents of files in their order. "-" stands for in, and a directory for its files that end in .yaml, .yml or .json, by name.
// Items of lists are documents of their own. A document of a version of Grove that isn't known is an error rather than passed over.
func Read(in io.Reader, paths []string) ([]Document, error) {
	var all []Document
	for _, path := range paths {
		documents, err := read(in, path)
		if err != nil {
			return nil, err
		}
		all = append(all, documents...)
	}
	for _, d := range all {
		if d.GetKind() == Kind && !d.IsSet() {
			return nil, fmt.Errorf("%s: %s %s has apiVersion %q: use %s", d.From, Kind, d.GetName(), d.GetAPIVersion(), v1alpha1.SchemeGroupVersion)
		}
	}
	return all, nil
}

func read(in io.Reader, path string) ([]Document, error) {
	if path == "-" {
		return decode("stdin", in)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	files := []string{path}
	if info.IsDir() {
		if files, err = filesOf(path); err != nil {
			return nil, err
		}
	}
	var all []Document
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		documents, err := decode(name, file)
		if err := errors.Join(err, file.Close()); err != nil {
			return nil, err
		}
		all = append(all, documents...)
	}
	return all, nil
}

func filesOf(directory string) ([]string, error) {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, entry := range entries {
		if !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, strings.ToLower(filepath.Ext(entry.Name()))) {
			files = append(files, filepath.Join(directory, entry.Name()))
		}
	}
	return files, nil
}

// decode reads the documents of one stream. Empty ones, and those of comments alone, are none.
func decode(from string, stream io.Reader) ([]Document, error) {
	var all []Document
	for reader := utilyaml.NewYAMLReader(bufio.NewReader(stream)); ; {
		data, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", from, err)
		}
		object := map[string]any{}
		if err := yaml.UnmarshalStrict(data, &object); err != nil {
			return nil, fmt.Errorf("%s: %w", from, err)
		}
		if len(object) == 0 {
			continue
		}
		document := &unstructured.Unstructured{Object: object}
		if !document.IsList() {
			all = append(all, Document{From: from, Unstructured: document})
			continue
		}
		list, err := document.ToList()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", from, err)
		}
		for i := range list.Items {
			all = append(all, Document{From: from, Unstructured: &list.Items[i]})
		}
	}
}
