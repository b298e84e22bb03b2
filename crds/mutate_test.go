package crds_test

import (
	"encoding/binary"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
)

// decisions are made from the bytes that a fuzzer gives, so that it learns which of them lead somewhere new. When they run out, every
// decision is the first choice.
type decisions []byte

// choose is a number below n.
func (d *decisions) choose(n int) int {
	if n <= 1 {
		return 0
	}
	if len(*d) < 2 {
		*d = nil
		return 0
	}
	number := binary.BigEndian.Uint16(*d)
	*d = (*d)[2:]
	return int(number) % n
}

// Uint64 makes decisions a source of random numbers.
func (d *decisions) Uint64() uint64 {
	var number uint64
	for range 4 {
		number = number<<16 | uint64(d.choose(1<<16))
	}
	return number
}

// mostChanges bounds how far a mutated object is from the example that it was made from: what is too far off is only refused.
const mostChanges = 6

// mutated is a copy of one of several objects, with a few changes: fields that are gone, items that are there twice, numbers and names on
// the edge, and parts of other objects.
func (d *decisions) mutated(from []map[string]any) map[string]any {
	object := runtime.DeepCopyJSON(from[d.choose(len(from))])
	spec, ok := object["spec"].(map[string]any)
	if !ok {
		return object
	}
	for range d.choose(mostChanges) {
		d.change(spec, from)
	}
	return object
}

// change walks down from a node, and changes something there.
func (d *decisions) change(node any, from []map[string]any) {
	switch node := node.(type) {
	case map[string]any:
		keys := slices.Sorted(maps.Keys(node))
		if len(keys) == 0 {
			return
		}
		key := keys[d.choose(len(keys))]
		if deeper(node[key]) && d.choose(4) > 0 {
			d.change(node[key], from)
			return
		}
		switch d.choose(4) {
		case 0:
			delete(node, key)
		case 1:
			d.graft(node, from)
		default:
			node[key] = d.instead(node[key])
		}
	case []any:
		if len(node) > 0 {
			i := d.choose(len(node))
			if deeper(node[i]) {
				d.change(node[i], from)
			} else {
				node[i] = d.instead(node[i])
			}
		}
	}
}

func deeper(value any) bool {
	switch value := value.(type) {
	case map[string]any:
		return len(value) > 0
	case []any:
		return len(value) > 0
	default:
		return false
	}
}

// instead is something that could stand in the place of a value.
func (d *decisions) instead(value any) any {
	switch value := value.(type) {
	case int64:
		return []int64{0, 1, 2, 3, 7, 64, 999, 1000, value + 1, value - 1, -1}[d.choose(11)]
	case bool:
		return !value
	case string:
		return []string{"", "a", "b", "w-0", "0", "99", "100%", "1h", "0s", "kubernetes.io/hostname", value + "-0", value + value}[d.choose(12)]
	case []any:
		if len(value) > 0 && d.choose(2) > 0 {
			return append(slices.Clone(value), runtime.DeepCopyJSONValue(value[d.choose(len(value))]))
		}
		return slices.Clone(value[:len(value)/2])
	default:
		return nil
	}
}

// graft gives a node a field that another object has in some place.
func (d *decisions) graft(node map[string]any, from []map[string]any) {
	donor := any(from[d.choose(len(from))]["spec"])
	for range 8 {
		switch part := donor.(type) {
		case map[string]any:
			keys := slices.Sorted(maps.Keys(part))
			if len(keys) == 0 {
				return
			}
			key := keys[d.choose(len(keys))]
			if !deeper(part[key]) || d.choose(3) == 0 {
				node[key] = runtime.DeepCopyJSONValue(part[key])
				return
			}
			donor = part[key]
		case []any:
			donor = part[d.choose(len(part))]
		default:
			return
		}
	}
}
