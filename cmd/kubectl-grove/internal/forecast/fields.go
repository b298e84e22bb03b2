package forecast

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"grove.io/grove/apis/grove/v1alpha1"
)

// Field is a field of the set that changes.
type Field struct {
	// Path is as in spec.template.cliques[worker].spec.replicas: items of lists by their names where they have such.
	Path string `json:"path"`
	// Before is absent for a field that is added, After for one that is removed.
	Before any `json:"before,omitempty"`
	After  any `json:"after,omitempty"`
}

// fieldsOf are the fields in which a set differs from another: labels, annotations and the spec. What kubectl keeps for itself in an annotation
// is none.
func fieldsOf(before, after *v1alpha1.PodCliqueSet) []Field {
	read := func(set *v1alpha1.PodCliqueSet) map[string]any {
		annotations := maps.Clone(set.Annotations)
		delete(annotations, corev1.LastAppliedConfigAnnotation)
		return map[string]any{
			"metadata": plain(map[string]any{"labels": set.Labels, "annotations": annotations}),
			"spec":     plain(set.Spec),
		}
	}
	var fields []Field
	differences("", read(before), read(after), func(f Field) { fields = append(fields, f) })
	return fields
}

// plain is a value as JSON has it.
func plain(value any) any {
	data, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("%T was decoded from JSON, and can't be encoded: %v", value, err))
	}
	var read any
	if err := json.Unmarshal(data, &read); err != nil {
		panic(fmt.Sprintf("%T can't be read back: %v", value, err))
	}
	return read
}

func differences(path string, before, after any, tell func(Field)) {
	if nothing(before) && nothing(after) || reflect.DeepEqual(before, after) {
		return
	}
	was, wasFields := fieldsIn(before)
	is, isFields := fieldsIn(after)
	if !wasFields || !isFields {
		tell(Field{Path: path, Before: before, After: after})
		return
	}
	keys := slices.Collect(maps.Keys(was.values))
	for key := range is.values {
		if _, both := was.values[key]; !both {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	if is.list && len(keys) == len(is.names) && len(keys) == len(was.names) && !slices.Equal(was.names, is.names) {
		tell(Field{Path: path + " in another order", Before: was.names, After: is.names})
	}
	for _, key := range keys {
		differences(is.path(path, key), was.values[key], is.values[key], tell)
	}
}

// nothing tells whether a value says nothing: an empty list or map is as good as none.
func nothing(value any) bool {
	v := reflect.ValueOf(value)
	return value == nil || (v.Kind() == reflect.Map || v.Kind() == reflect.Slice) && v.Len() == 0
}

// inside are the parts of a map, or of a list whose items have names.
type inside struct {
	values map[string]any
	list   bool
	// names are those of the items, in their order.
	names []string
}

func (i inside) path(of, key string) string {
	switch {
	case i.list:
		return of + "[" + key + "]"
	case of == "":
		return key
	default:
		return of + "." + key
	}
}

func fieldsIn(value any) (inside, bool) {
	switch value := value.(type) {
	case map[string]any:
		return inside{values: value}, true
	case []any:
		named, names := map[string]any{}, []string{}
		for _, item := range value {
			object, isObject := item.(map[string]any)
			name, hasName := object["name"].(string)
			if !isObject || !hasName {
				return inside{}, false
			}
			named[name] = object
			names = append(names, name)
		}
		return inside{values: named, list: true, names: names}, len(named) == len(value) && len(value) > 0
	}
	return inside{}, false
}
