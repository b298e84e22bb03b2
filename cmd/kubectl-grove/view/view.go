// Package view is a PodCliqueSet and what Grove made of it, as one look at a cluster finds them.
package view

import (
	"cmp"
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"grove.io/grove/apis/client/clientset/versioned"
	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// View is a set with its children, at one moment. They are told by their labels, and come in the order of replicas, of the template, and of names.
type View struct {
	Set     *v1alpha1.PodCliqueSet
	Gangs   []*v1alpha1.PodGang
	Groups  []*v1alpha1.PodCliqueScalingGroup
	Cliques []*v1alpha1.PodClique
	Pods    []*corev1.Pod
}

// Load looks at one set. The error is the API server's, which says so if there is no such set.
func Load(ctx context.Context, core kubernetes.Interface, grove versioned.Interface, namespace, name string) (*View, error) {
	set, err := grove.GroveV1alpha1().PodCliqueSets(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	views, err := children(ctx, core, grove, namespace, v1alpha1.LabelPodCliqueSet+"="+name, set)
	if err != nil {
		return nil, err
	}
	return views[0], nil
}

// LoadAll looks at all sets of a namespace, or of all namespaces if that is empty, ordered by namespace and name.
func LoadAll(ctx context.Context, core kubernetes.Interface, grove versioned.Interface, namespace string) ([]*View, error) {
	list, err := grove.GroveV1alpha1().PodCliqueSets(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	if len(list.Items) == 0 {
		return nil, nil
	}
	return children(ctx, core, grove, namespace, v1alpha1.LabelPodCliqueSet, pointers(list.Items)...)
}

// LoadSome looks at the set of a name or, without one, at all sets of a namespace; an empty namespace is all.
func LoadSome(ctx context.Context, core kubernetes.Interface, grove versioned.Interface, namespace, name string) ([]*View, error) {
	if name == "" {
		return LoadAll(ctx, core, grove, namespace)
	}
	v, err := Load(ctx, core, grove, namespace, name)
	if err != nil {
		return nil, err
	}
	return []*View{v}, nil
}

func children(ctx context.Context, core kubernetes.Interface, grove versioned.Interface, namespace, selector string, sets ...*v1alpha1.PodCliqueSet) ([]*View, error) {
	api, of := grove.GroveV1alpha1(), metav1.ListOptions{LabelSelector: selector}
	gangs, err := api.PodGangs(namespace).List(ctx, of)
	if err != nil {
		return nil, err
	}
	groups, err := api.PodCliqueScalingGroups(namespace).List(ctx, of)
	if err != nil {
		return nil, err
	}
	cliques, err := api.PodCliques(namespace).List(ctx, of)
	if err != nil {
		return nil, err
	}
	pods, err := core.CoreV1().Pods(namespace).List(ctx, of)
	if err != nil {
		return nil, err
	}
	var views []*View
	for _, set := range sets {
		views = append(views, New(set, belonging(set, gangs.Items), belonging(set, groups.Items), belonging(set, cliques.Items), belonging(set, pods.Items)))
	}
	slices.SortFunc(views, func(a, b *View) int {
		return cmp.Or(cmp.Compare(a.Set.Namespace, b.Set.Namespace), plan.ByName(a.Set, b.Set))
	})
	return views, nil
}

// New is the view of a set and its children.
func New(set *v1alpha1.PodCliqueSet, gangs []*v1alpha1.PodGang, groups []*v1alpha1.PodCliqueScalingGroup, cliques []*v1alpha1.PodClique, pods []*corev1.Pod) *View {
	v := &View{Set: set, Gangs: gangs, Groups: groups, Cliques: cliques, Pods: pods}
	slices.SortFunc(v.Gangs, func(a, b *v1alpha1.PodGang) int { return cmp.Compare(a.Spec.ReplicaIndex, b.Spec.ReplicaIndex) })
	inTemplate := map[string]int{}
	for j := range set.Spec.Template.Cliques {
		inTemplate[set.Spec.Template.Cliques[j].Name] = j
	}
	rank := func(clique *v1alpha1.PodClique) int { return inTemplate[v.NameInTemplate(clique)] }
	slices.SortFunc(v.Cliques, func(a, b *v1alpha1.PodClique) int {
		return cmp.Or(cmp.Compare(indexOf(a), indexOf(b)), cmp.Compare(rank(a), rank(b)), plan.ByName(a, b))
	})
	slices.SortFunc(v.Groups, plan.ByName)
	slices.SortFunc(v.Pods, plan.ByName)
	return v
}

// NameInTemplate is the name of the clique that a PodClique is made of; its own name if the template has none any more.
func (v *View) NameInTemplate(clique *v1alpha1.PodClique) string {
	if of := plan.TemplateOf(v.Set).Clique(clique.Name, indexOf(clique)); of != nil {
		return of.Name
	}
	return clique.Name
}

func indexOf(clique *v1alpha1.PodClique) int32 {
	i, _ := plan.IndexLabel(clique, v1alpha1.LabelReplicaIndex)
	return i
}

// Replica is what the view has of the replica of a PodGang, as planners read it.
func (v *View) Replica(gang *v1alpha1.PodGang) plan.Replica {
	r := plan.Replica{Set: v.Set, Gang: gang, Cliques: map[string]plan.Clique{}}
	for _, pod := range v.Pods {
		if pod.Labels[v1alpha1.LabelPodGang] == gang.Name {
			r.Siblings = append(r.Siblings, pod)
		}
	}
	for _, clique := range v.Cliques {
		if clique.Labels[v1alpha1.LabelPodGang] == gang.Name {
			r.Cliques[clique.Name] = v.clique(clique, gang, r.Siblings)
		}
	}
	return r
}

func (v *View) clique(object *v1alpha1.PodClique, gang *v1alpha1.PodGang, siblings []*corev1.Pod) plan.Clique {
	c := plan.Clique{Object: object, Set: v.Set, Gang: gang, Siblings: siblings}
	if name := plan.ScalingGroupNameOf(v.Set, object); name != "" {
		c.ScalingGroup = v.Group(name)
	}
	for _, pod := range siblings {
		if pod.Labels[v1alpha1.LabelPodClique] == object.Name {
			c.Pods = append(c.Pods, pod)
		}
	}
	return c
}

// Group is a scaling group, by its name; nil if there is none.
func (v *View) Group(name string) *v1alpha1.PodCliqueScalingGroup {
	at := slices.IndexFunc(v.Groups, func(g *v1alpha1.PodCliqueScalingGroup) bool { return g.Name == name })
	if at < 0 {
		return nil
	}
	return v.Groups[at]
}

// PodCounts are how many pods the PodCliques that exist shall have, and how many of those are ready or have succeeded.
func (v *View) PodCounts() (wanted, ready int) {
	for _, gang := range v.Gangs {
		for _, clique := range v.Replica(gang).Cliques {
			wanted += int(clique.NumPods())
			for _, counts := range clique.Counts() {
				ready += int(counts.Up())
			}
		}
	}
	return wanted, ready
}

// Ready reports whether the set is available and everything that its spec asks for exists and is ready.
func (v *View) Ready() bool {
	wanted, ready := v.PodCounts()
	return v.Set.Status.Phase == v1alpha1.PodCliqueSetAvailable &&
		v.Set.Status.ObservedGeneration == v.Set.Generation &&
		len(v.Gangs) == int(v.Set.Spec.Replicas) &&
		len(v.Cliques) == int(v.Set.Spec.Replicas)*len(v.Set.Spec.Template.Cliques) &&
		len(v.Pods) == wanted && ready == wanted &&
		!slices.ContainsFunc(v.Groups, Incomplete)
}

// Incomplete tells whether a scaling group doesn't say yet that all its replicas are available: counts follow the pods a moment later.
func Incomplete(group *v1alpha1.PodCliqueScalingGroup) bool {
	return group.Status.AvailableReplicas < plan.ScalingGroupReplicas(group)
}

func belonging[T any, P interface {
	*T
	metav1.Object
}](set *v1alpha1.PodCliqueSet, items []T) []P {
	var all []P
	for i := range items {
		if item := P(&items[i]); item.GetNamespace() == set.Namespace && item.GetLabels()[v1alpha1.LabelPodCliqueSet] == set.Name {
			all = append(all, item)
		}
	}
	return all
}

func pointers[T any](items []T) []*T {
	var all []*T
	for i := range items {
		all = append(all, &items[i])
	}
	return all
}
