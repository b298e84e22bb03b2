package plan

import (
	"strconv"

	"grove.io/grove/apis/grove/v1alpha1"
)

// PodGangName is the name of the PodGang of replica i.
func PodGangName(set string, i int32) string { return join(set, index(i)) }

// PodCliqueName is the name of the PodClique of a clique in replica i.
func PodCliqueName(set, clique string, i int32) string { return join(join(set, clique), index(i)) }

// ScalingGroupName is the name of the PodCliqueScalingGroup of a group.
func ScalingGroupName(set, group string) string { return join(set, group) }

// ScaledUnitName is the name of the unit that group replica g is in replica i.
func ScaledUnitName(set, group string, i, g int32) string {
	return join(join(PodGangName(set, i), group), index(g))
}

// HeadlessServiceName is the name of the Service by which pods find each other.
func HeadlessServiceName(set string) string { return join(set, "headless") }

// PodName is the name of pod p of a slice.
func PodName(slice string, p int32) string { return join(slice, index(p)) }

// sliceName is what the names of a slice's pods begin with: the PodClique's name and, for a member of a scaling group, the
// index of the group replica.
func sliceName(podClique string, g *int32) string {
	if g == nil {
		return podClique
	}
	return join(podClique, index(*g))
}

// headlessDomain is the DNS name below which pods have theirs, as far as every cluster domain agrees on it.
func headlessDomain(set *v1alpha1.PodCliqueSet) string {
	return HeadlessServiceName(set.Name) + "." + set.Namespace + ".svc"
}

func join(a, b string) string { return a + "-" + b }

func index(i int32) string { return strconv.Itoa(int(i)) }
