package plan

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"grove.io/grove/apis/grove/v1alpha1"
)

// Clique is a PodClique with what decides about its pods, as the caches have it.
type Clique struct {
	Object *v1alpha1.PodClique
	// Set is the PodCliqueSet that controls the PodClique.
	Set *v1alpha1.PodCliqueSet
	// Group is the scaling group that the PodClique is a member of; nil if there is none.
	Group *v1alpha1.PodCliqueScalingGroup
	// Gang is the PodGang of the PodClique's replica; nil while there is none.
	Gang *v1alpha1.PodGang
	// Pods are those that the PodClique controls.
	Pods []*corev1.Pod
	// Scheduling is what the scheduler can do for the gang.
	Scheduling Scheduling
	// InitImage is the image of the init container of pods that start after others.
	InitImage string
}

// PodActions are what has to be done to a PodClique's pods.
type PodActions struct {
	// Create has the pods that are missing and have nothing to wait for: those of units first, lowest indexes first.
	Create []NewPod
	// Delete has the pods that are not wanted.
	Delete []*corev1.Pod
	// Replace has the pods that failed. They keep their names, so they are deleted first and created once they are gone.
	Replace []*corev1.Pod
	// Relabel has the pods whose labels or annotations are not as they should be. Nothing else of a pod can be changed.
	Relabel []*corev1ac.PodApplyConfiguration
}

// NewPod is a pod that is to be created.
type NewPod struct {
	Config *corev1ac.PodApplyConfiguration
	// Group is the scheduler's group that the pod is in; empty for none.
	Group string

	membership membership
}

// PodActions brings the pods of a PodClique to what its spec says. There are none for a PodClique that its set has no
// place for: it is about to go, and its pods with it. A pod's identity is its name, which never changes its
// meaning; so scaling in removes the highest indexes, and a lost pod comes back under its own name.
func (c Clique) PodActions() PodActions {
	var actions PodActions
	i, _ := indexLabel(c.Object, v1alpha1.LabelReplicaIndex)
	t := templateOf(c.Set)
	clique := t.clique(c.Object.Name, i)
	if clique == nil || i >= c.Set.Spec.Replicas {
		return actions
	}
	existing := c.podsByName()
	builder := c.podBuilder(t, clique, i)
	for _, id := range c.podIdentities() {
		pod := existing[id.name]
		delete(existing, id.name)
		switch {
		case pod == nil:
			if builder.released(id) {
				actions.Create = append(actions.Create, builder.newPod(id))
			}
		case pod.DeletionTimestamp != nil:
			// Its successor waits until the name is free.
		case pod.Status.Phase == corev1.PodFailed:
			actions.Replace = append(actions.Replace, pod)
		default:
			if relabeled, changed := builder.relabeled(id, pod); changed {
				actions.Relabel = append(actions.Relabel, relabeled)
			}
		}
	}
	for _, pod := range existing {
		if pod.DeletionTimestamp == nil {
			actions.Delete = append(actions.Delete, pod)
		}
	}
	slices.SortFunc(actions.Delete, byName)
	actions.Create = inOrder(actions.Create)
	return actions
}

func (c Clique) podsByName() map[string]*corev1.Pod {
	named := map[string]*corev1.Pod{}
	for _, pod := range c.Pods {
		named[pod.Name] = pod
	}
	return named
}

// podIdentity says which pod of a PodClique one is.
type podIdentity struct {
	name string
	// group is the index of the group replica; nil in a standalone clique.
	group *int32
	index int32
}

// podIdentities are the pods that the spec asks for, slice by slice.
func (c Clique) podIdentities() []podIdentity {
	var ids []podIdentity
	for _, slice := range c.slices() {
		for p := range replicasOf(c.Object.Spec.Replicas) {
			ids = append(ids, podIdentity{name: PodName(slice.name, p), group: slice.group, index: p})
		}
	}
	return ids
}

// slice is one of a PodClique's slices.
type slice struct {
	name string
	// group is the index of the group replica; nil in a standalone clique.
	group *int32
}

func (c Clique) slices() []slice {
	if c.Group == nil {
		return []slice{{name: c.Object.Name}}
	}
	var all []slice
	for g := range replicasOf(c.Group.Spec.Replicas) {
		all = append(all, slice{name: sliceName(c.Object.Name, &g), group: &g})
	}
	return all
}

// podBuilder builds the pods of one PodClique.
type podBuilder struct {
	Clique
	template template
	clique   *v1alpha1.PodCliqueTemplateSpec
	i        int32
	topology topology
	release  Release
	// running are the slices, and whether it is their surplus, that have pods already.
	running     map[sliceKey]bool
	spec        *corev1ac.PodSpecApplyConfiguration
	labels      map[string]string
	annotations map[string]string
	// numPods and rank place a member of a scaling group among the pods of its group replica.
	numPods, rank int32
	// ancestors are the cliques that the pods start after.
	ancestors []string
}

// podBuilder takes the podSpec from the PodClique, which may be older than the template's, and everything else from the
// set: labels and annotations reach pods without a restart.
func (c Clique) podBuilder(t template, clique *v1alpha1.PodCliqueTemplateSpec, i int32) podBuilder {
	b := podBuilder{
		Clique:      c,
		template:    t,
		clique:      clique,
		i:           i,
		topology:    t.topology(i, c.Scheduling),
		release:     ReleaseOf(c.Gang),
		running:     map[sliceKey]bool{},
		spec:        podSpecConfiguration(&c.Object.Spec.PodSpec),
		labels:      t.cliqueLabels(clique, i),
		annotations: clique.Annotations,
		ancestors:   t.ancestors(clique.Name),
	}
	b.labels[v1alpha1.LabelPodTemplateHash] = PodTemplateHash(&c.Object.Spec.PodSpec)
	if group := t.groupOf[clique.Name]; group != nil {
		b.numPods = t.numGroupPods(group)
		b.rank = t.groupRank(group, clique.Name)
	}
	named := c.podsByName()
	for _, id := range c.podIdentities() {
		if pod := named[id.name]; pod != nil && pod.DeletionTimestamp == nil {
			b.running[b.keyOf(id)] = true
		}
	}
	b.spec.WithSubdomain(HeadlessServiceName(c.Set.Name))
	if b.spec.ServiceAccountName == nil {
		b.spec.WithServiceAccountName(c.Set.Name)
	}
	if class := c.Set.Spec.Template.PriorityClassName; class != "" {
		b.spec.WithPriorityClassName(class)
	}
	return b
}

// sliceKey names the part of a slice that a pod is in: its group replica and, among the pods of that, the unit's or the surplus.
type sliceKey struct {
	group   string
	surplus bool
}

func (b podBuilder) keyOf(id podIdentity) sliceKey {
	key := sliceKey{surplus: b.membership(id, b.template, b.i).surplus}
	if id.group != nil {
		key.group = index(*id.group)
	}
	return key
}

// released tells whether a pod has nothing to wait for. One that was lost comes back at once, while others of its part of the
// slice are there.
func (b podBuilder) released(id podIdentity) bool {
	m := b.membership(id, b.template, b.i)
	switch {
	case b.running[b.keyOf(id)]:
		return true
	case m.surplus:
		return b.release.Surplus && hasUnit(b.Gang, m.unit)
	default:
		return m.base || b.release.Scaled
	}
}

// newPod is a pod with its place in the gang.
func (b podBuilder) newPod(id podIdentity) NewPod {
	m := b.membership(id, b.template, b.i)
	pod := NewPod{Config: b.pod(id), membership: m}
	shape := b.topology.shape(m.base, b.template.unitCliques(b.i, m.base, b.Object.Name), b.Scheduling)
	if b.Scheduling.Gangs && !m.surplus {
		pod.Group = shape.group(m.unit, b.Object.Name)
	}
	b.topology.place(pod.Config, m, shape, b.Object.Name, b.template.leads(b.clique, id))
	return pod
}

// pod is the complete configuration of one pod.
func (b podBuilder) pod(id podIdentity) *corev1ac.PodApplyConfiguration {
	env := b.env(id)
	spec := *b.spec
	spec.WithHostname(id.name)
	spec.InitContainers = withEnv(spec.InitContainers, env)
	spec.Containers = withEnv(spec.Containers, env)
	b.startInOrder(&spec, id)
	return corev1ac.Pod(id.name, b.Object.Namespace).
		WithLabels(b.podLabels(id)).
		WithAnnotations(b.annotations).
		WithOwnerReferences(ControllerReference(b.Object, "PodClique")).
		WithSpec(&spec)
}

func (b podBuilder) podLabels(id podIdentity) map[string]string {
	labels := merge(b.labels, map[string]string{v1alpha1.LabelPodIndex: index(id.index)})
	if id.group != nil {
		labels[v1alpha1.LabelGroupReplicaIndex] = index(*id.group)
	}
	if len(b.topology.packs) > 0 {
		labels[v1alpha1.LabelGangUnit] = b.membership(id, b.template, b.i).unit
	}
	if len(b.topology.spread) > 0 && b.template.leads(b.clique, id) {
		labels[v1alpha1.LabelReplicaLead] = v1alpha1.ReplicaLead
	}
	return labels
}

func (b podBuilder) env(id podIdentity) []*corev1ac.EnvVarApplyConfiguration {
	env := []*corev1ac.EnvVarApplyConfiguration{
		envVar(v1alpha1.EnvPodCliqueSetName, b.Set.Name),
		envVar(v1alpha1.EnvPodCliqueSetIndex, b.labels[v1alpha1.LabelReplicaIndex]),
		envVar(v1alpha1.EnvPodCliqueName, b.Object.Name),
		envVar(v1alpha1.EnvPodIndex, index(id.index)),
		envVar(v1alpha1.EnvHeadlessService, headlessDomain(b.Set)),
	}
	if id.group == nil {
		return env
	}
	return append(env,
		envVar(v1alpha1.EnvScalingGroupName, b.Group.Name),
		envVar(v1alpha1.EnvScalingGroupIndex, index(*id.group)),
		envVar(v1alpha1.EnvScalingGroupNumPods, index(b.numPods)),
		envVar(v1alpha1.EnvScalingGroupPodIndex, index(b.rank+id.index)))
}

func envVar(name, value string) *corev1ac.EnvVarApplyConfiguration {
	return corev1ac.EnvVar().WithName(name).WithValue(value)
}

// withEnv puts variables ahead of each container's own. A variable that the container sets itself is left to it: in a pod
// the last of two equal names would win, and server-side apply accepts only one.
func withEnv(containers []corev1ac.ContainerApplyConfiguration, env []*corev1ac.EnvVarApplyConfiguration) []corev1ac.ContainerApplyConfiguration {
	changed := slices.Clone(containers)
	for i := range changed {
		own := changed[i].Env
		changed[i].Env = nil
		for _, variable := range env {
			if !slices.ContainsFunc(own, func(v corev1ac.EnvVarApplyConfiguration) bool { return *v.Name == *variable.Name }) {
				changed[i].WithEnv(variable)
			}
		}
		changed[i].Env = append(changed[i].Env, own...)
	}
	return changed
}

// relabeled tells whether a pod lacks or contradicts labels or annotations, and how it should be. The hash stays: it says what
// the pod was made from, which is past changing.
func (b podBuilder) relabeled(id podIdentity, pod *corev1.Pod) (*corev1ac.PodApplyConfiguration, bool) {
	labels := b.podLabels(id)
	if hash, ok := pod.Labels[v1alpha1.LabelPodTemplateHash]; ok {
		labels[v1alpha1.LabelPodTemplateHash] = hash
	}
	if contains(pod.Labels, labels) && contains(pod.Annotations, b.annotations) {
		return nil, false
	}
	return b.pod(id).WithLabels(labels), true
}

// contains tells whether a map has all that another has.
func contains(have, want map[string]string) bool {
	for key, value := range want {
		if got, ok := have[key]; !ok || got != value {
			return false
		}
	}
	return true
}

// PodGangOf is the name of the PodGang that a PodClique is labelled with.
func PodGangOf(podClique *v1alpha1.PodClique) string { return podClique.Labels[v1alpha1.LabelPodGang] }

// ScalingGroupOf is the name of the scaling group that a PodClique of a set is a member of; empty if there is none.
func ScalingGroupOf(set *v1alpha1.PodCliqueSet, podClique *v1alpha1.PodClique) string {
	t := templateOf(set)
	i, _ := indexLabel(podClique, v1alpha1.LabelReplicaIndex)
	clique := t.clique(podClique.Name, i)
	if clique == nil || t.groupOf[clique.Name] == nil {
		return ""
	}
	return ScalingGroupName(set.Name, t.groupOf[clique.Name].Name)
}
