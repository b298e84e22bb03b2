package plan

import (
	"strconv"

	"grove.io/grove/apis/grove/v1alpha1"
)

// PodGangName is the name of the PodGang of replica i.
func PodGangName(set string, i int32) string { return numbered(i, set) }

// PodCliqueName is the name of the PodClique of a clique in replica i.
func PodCliqueName(set, clique string, i int32) string { return numbered(i, set, clique) }

// ScalingGroupName is the name of the PodCliqueScalingGroup of a scaling group.
func ScalingGroupName(set, scalingGroup string) string { return join(set, scalingGroup) }

// ScaledUnitName is the name of the unit that group replica g is in replica i.
func ScaledUnitName(set, scalingGroup string, i, g int32) string {
	return numbered(g, PodGangName(set, i), scalingGroup)
}

// GroupBudgetName is the name of the PodDisruptionBudget of a PodCliqueScalingGroup in replica i. It ends so that it is no PodClique's name, which a
// clique's budget has.
func GroupBudgetName(scalingGroup string, i int32) string {
	return join(numbered(i, scalingGroup), "group")
}

// HeadlessServiceName is the name of the Service by which pods find each other.
func HeadlessServiceName(set string) string { return join(set, "headless") }

// AccountName is the name of the ServiceAccount of a set's pods, and of the Role and RoleBinding for it. The bare name of the
// set is what Helm charts give accounts of their own.
func AccountName(set string) string { return join(v1alpha1.ManagedBy, set) }

// PodName is the name of pod p of a pod group.
func PodName(podGroup string, p int32) string { return numbered(p, podGroup) }

// PodGroupName is what the names of a pod group's pods begin with: the PodClique's name and, for a member of a scaling group, the
// index of the group replica.
func PodGroupName(podClique string, groupReplica *int32) string {
	if groupReplica == nil {
		return podClique
	}
	return numbered(*groupReplica, podClique)
}

// HeadlessDomain is the DNS name below which pods have theirs, as far as every cluster domain agrees on it.
func HeadlessDomain(set *v1alpha1.PodCliqueSet) string {
	return HeadlessServiceName(set.Name) + "." + set.Namespace + ".svc"
}

// PodAddress is the DNS name of a pod, as far as every cluster domain agrees on it.
func PodAddress(set *v1alpha1.PodCliqueSet, pod string) string {
	return pod + "." + HeadlessDomain(set)
}

func join(a, b string) string { return a + "-" + b }

// numbered is a name that ends with an index. Such names are made of everything at every look at a set, so they take one allocation.
func numbered(i int32, parts ...string) string {
	var room [64]byte // for all names but a few
	name := room[:0]
	for _, part := range parts {
		name = append(append(name, part...), '-')
	}
	return string(strconv.AppendInt(name, int64(i), 10))
}

// Index is an index as names and labels have it.
func Index(i int32) string { return strconv.Itoa(int(i)) }
