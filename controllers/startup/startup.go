// Package startup says which pods of its gang a pod waits for before its own containers start: the operator writes it into the
// arguments of the pod's first init container, grove-initc, which reads it there and watches the PodGang.
package startup

import (
	"fmt"
	"slices"

	"github.com/spf13/pflag"

	"grove.io/grove/apis/grove/v1alpha1"
)

const (
	// ContainerName is the name of the init container, and of the volume with its credentials.
	ContainerName = "grove-initc"
	// EnvNamespace and EnvPodGang tell the init container where it is, by the downward API.
	EnvNamespace = "POD_NAMESPACE"
	EnvPodGang   = "GROVE_PODGANG"
)

const (
	flagPodGroup        = "pod-group"
	flagAfterPodCliques = "after-pod-clique"
	flagAfterPodGroups  = "after-pod-group"
)

// Order is what a pod waits for.
type Order struct {
	// PodGroup is the pod group of the PodGang that the pod itself belongs to.
	PodGroup string
	// PodCliques are waited for in the base unit: all of their pod groups there.
	PodCliques []string
	// PodGroups are waited for one by one.
	PodGroups []string
}

// Any tells whether there is anything to wait for.
func (o Order) Any() bool { return len(o.PodCliques) > 0 || len(o.PodGroups) > 0 }

// Args are the arguments of grove-initc.
func (o Order) Args() []string {
	args := []string{"--" + flagPodGroup + "=" + o.PodGroup}
	for _, name := range o.PodCliques {
		args = append(args, "--"+flagAfterPodCliques+"="+name)
	}
	for _, name := range o.PodGroups {
		args = append(args, "--"+flagAfterPodGroups+"="+name)
	}
	return args
}

// AddFlags adds the flags that Args sets.
func (o *Order) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.PodGroup, flagPodGroup, "", "the pod `group` of the PodGang that this pod belongs to")
	flags.StringArrayVar(&o.PodCliques, flagAfterPodCliques, nil, "wait for all pod groups of this `PodClique` in the base unit; may be repeated")
	flags.StringArrayVar(&o.PodGroups, flagAfterPodGroups, nil, "wait for this pod `group`; may be repeated")
}

// Missing says what the pod still waits for, one entry for each pod group; none if it can start. The gang is nil where there is
// none. A pod group that the gang doesn't have is scaled to zero, and nobody waits for it; as long as the gang doesn't have
// the pod's own group either, its spec isn't complete yet.
func (o Order) Missing(gang *v1alpha1.PodGang) []string {
	if gang == nil {
		return []string{"the PodGang doesn't exist"}
	}
	base := gang.Spec.PodGroups
	all := slices.Clone(base)
	for _, scaled := range gang.Spec.ScaledGroups {
		all = append(all, scaled.PodGroups...)
	}
	if !slices.ContainsFunc(all, func(group v1alpha1.PodGroup) bool { return group.Name == o.PodGroup }) {
		return []string{fmt.Sprintf("the PodGang doesn't have the pod group %s yet", o.PodGroup)}
	}
	var missing []string
	for i, group := range all {
		if !slices.Contains(o.PodGroups, group.Name) && (i >= len(base) || !slices.Contains(o.PodCliques, group.PodCliqueName)) {
			continue
		}
		if up := upIn(gang, group.Name); up < group.MinReplicas {
			missing = append(missing, fmt.Sprintf("%s: %d of %d pods ready", group.Name, up, group.MinReplicas))
		}
	}
	return missing
}

// upIn is how many pods of a pod group are ready, or have done what others wait for.
func upIn(gang *v1alpha1.PodGang, group string) int32 {
	for _, status := range gang.Status.PodGroups {
		if status.Name == group {
			return status.Ready + status.Succeeded
		}
	}
	return 0
}
