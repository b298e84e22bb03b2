package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"grove.io/grove/apis/client/clientset/versioned"
	grovev1alpha1 "grove.io/grove/apis/grove/v1alpha1"
)

// view is a PodCliqueSet and what Grove made of it, at one moment.
type view struct {
	set     *grovev1alpha1.PodCliqueSet
	gangs   []grovev1alpha1.PodGang
	cliques []grovev1alpha1.PodClique
	groups  []grovev1alpha1.PodCliqueScalingGroup
	pods    []corev1.Pod
}

func look(ctx context.Context, core kubernetes.Interface, grove versioned.Interface, namespace, name string) (*view, error) {
	api := grove.GroveV1alpha1()
	set, err := api.PodCliqueSets(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	ofSet := metav1.ListOptions{LabelSelector: grovev1alpha1.LabelPodCliqueSet + "=" + name}
	gangs, err := api.PodGangs(namespace).List(ctx, ofSet)
	if err != nil {
		return nil, err
	}
	cliques, err := api.PodCliques(namespace).List(ctx, ofSet)
	if err != nil {
		return nil, err
	}
	groups, err := api.PodCliqueScalingGroups(namespace).List(ctx, ofSet)
	if err != nil {
		return nil, err
	}
	pods, err := core.CoreV1().Pods(namespace).List(ctx, ofSet)
	if err != nil {
		return nil, err
	}
	return &view{set: set, gangs: gangs.Items, cliques: cliques.Items, groups: groups.Items, pods: pods.Items}, nil
}

// ready reports whether the set is available and everything that its spec asks for exists and is ready.
func (v *view) ready() bool {
	wanted, ready := v.podCounts()
	return v.set.Status.Phase == grovev1alpha1.PodCliqueSetAvailable &&
		v.set.Status.ObservedGeneration == v.set.Generation &&
		len(v.gangs) == int(v.set.Spec.Replicas) &&
		len(v.cliques) == int(v.set.Spec.Replicas)*len(v.set.Spec.Template.Cliques) &&
		len(v.pods) == wanted && ready == wanted &&
		!slices.ContainsFunc(v.groups, isIncomplete)
}

// isIncomplete tells whether a scaling group doesn't say yet that all its replicas are available: counts follow the pods a moment later.
func isIncomplete(group grovev1alpha1.PodCliqueScalingGroup) bool {
	return group.Status.AvailableReplicas < *group.Spec.Replicas
}

// podCounts returns how many pods the cliques that exist shall have, and how many of those are ready.
func (v *view) podCounts() (wanted, ready int) {
	for i := range v.cliques {
		cliqueWanted, cliqueReady := v.cliqueCounts(&v.cliques[i])
		wanted += cliqueWanted
		ready += cliqueReady
	}
	return wanted, ready
}

func (v *view) cliqueCounts(clique *grovev1alpha1.PodClique) (wanted, ready int) {
	replicas := int32(1)
	for _, group := range v.groups {
		if group.Name == clique.Labels[grovev1alpha1.LabelPodCliqueScalingGroup] {
			replicas = *group.Spec.Replicas
		}
	}
	for i := range v.pods {
		if v.pods[i].Labels[grovev1alpha1.LabelPodClique] == clique.Name && isReady(&v.pods[i]) {
			ready++
		}
	}
	return int(replicas * *clique.Spec.Replicas), ready
}

func isReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue && pod.DeletionTimestamp == nil
		}
	}
	return false
}

// summary is the view in one line.
func (v *view) summary() string {
	wanted, ready := v.podCounts()
	return fmt.Sprintf("PodCliqueSet %s: %s, %d of %d replicas available; %d PodGangs, %d PodCliques, %d PodCliqueScalingGroups; %d pods, %d of %d ready",
		v.set.Name, orNone(string(v.set.Status.Phase)), v.set.Status.AvailableReplicas, v.set.Spec.Replicas,
		len(v.gangs), len(v.cliques), len(v.groups), len(v.pods), ready, wanted)
}

// tree is the view as a tree: the set, its gangs, their cliques.
func (v *view) tree() []string {
	lines := []string{fmt.Sprintf("%-64s %-10s %d/%d available", "PodCliqueSet "+v.set.Name,
		orNone(string(v.set.Status.Phase)), v.set.Status.AvailableReplicas, v.set.Spec.Replicas)}
	for _, group := range v.groups {
		lines = append(lines, fmt.Sprintf("├─ %-61s %-10s %d/%d available", "PodCliqueScalingGroup "+group.Name, "",
			group.Status.AvailableReplicas, *group.Spec.Replicas))
	}
	for i, gang := range v.gangs {
		branch, trunk := "├─ ", "│  "
		if i == len(v.gangs)-1 {
			branch, trunk = "└─ ", "   "
		}
		lines = append(lines, fmt.Sprintf("%s%-61s %s", branch, "PodGang "+gang.Name, orNone(string(gang.Status.Phase))))
		lines = append(lines, v.cliqueLines(gang.Name, trunk)...)
	}
	return lines
}

func (v *view) cliqueLines(gang, trunk string) []string {
	var lines []string
	for i := range v.cliques {
		clique := &v.cliques[i]
		if clique.Labels[grovev1alpha1.LabelPodGang] != gang {
			continue
		}
		wanted, ready := v.cliqueCounts(clique)
		lines = append(lines, fmt.Sprintf("%s├─ %-58s %s %d/%d pods ready", trunk, "PodClique "+clique.Name, bar(ready, wanted), ready, wanted))
	}
	if len(lines) > 0 {
		last := len(lines) - 1
		lines[last] = strings.Replace(lines[last], "├─", "└─", 1)
	}
	return lines
}

// bar draws a share of 10 characters.
func bar(part, whole int) string {
	const width = 10
	filled := width
	if whole > 0 {
		filled = min(width, width*part/whole)
	}
	return strings.Repeat("█", filled) + strings.Repeat("░", width-filled)
}

func orNone(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
