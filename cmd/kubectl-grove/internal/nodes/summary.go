package nodes

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Group are the nodes that a filter turns down for the same reason.
type Group struct {
	Filter   Filter              `json:"filter"`
	Resource corev1.ResourceName `json:"resource,omitempty"`
	// Free is the most of the resource that a node of the group has left, Asked what the pod asks for.
	Free  *resource.Quantity `json:"free,omitempty"`
	Asked *resource.Quantity `json:"asked,omitempty"`
	// Nodes is how many nodes there are of the group, Of how many there are in all. A node may be in several groups.
	Nodes int    `json:"nodes"`
	Of    int    `json:"of"`
	Words string `json:"words"`
}

// String is the group in words: "6 of 8 nodes: nvidia.com/gpu 3 free, 8 asked".
func (g Group) String() string { return fmt.Sprintf("%d of %d nodes: %s", g.Nodes, g.Of, g.Words) }

// Summary groups the reasons of verdicts, those that most nodes have first.
func Summary(verdicts []Verdict) []Group {
	groups := map[string]*Group{}
	for _, verdict := range verdicts {
		for _, reason := range verdict.Reasons {
			key := string(reason.Filter) + "\n" + cmp.Or(string(reason.Resource), reason.Words)
			group := groups[key]
			if group == nil {
				group = &Group{Filter: reason.Filter, Resource: reason.Resource, Asked: reason.Asked, Of: len(verdicts), Words: reason.Words}
				groups[key] = group
			}
			group.Nodes++
			if reason.Free != nil && (group.Free == nil || reason.Free.Cmp(*group.Free) > 0) {
				group.Free, group.Words = reason.Free, reason.Words
			}
		}
	}
	var all []Group
	for _, group := range groups {
		if group.Nodes > 1 && group.Free != nil && !group.Free.IsZero() {
			group.Words = fmt.Sprintf("%s at most %s free, %s asked", group.Resource, group.Free, group.Asked)
		}
		all = append(all, *group)
	}
	slices.SortFunc(all, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Nodes, a.Nodes), cmp.Compare(a.Filter, b.Filter), strings.Compare(a.Words, b.Words))
	})
	return all
}
