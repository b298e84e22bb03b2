package podclique

import (
	"maps"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// builder builds the pods of one PodClique.
type builder struct {
	release
	clique      *v1alpha1.PodCliqueTemplateSpec
	spec        *corev1ac.PodSpecApplyConfiguration
	labels      map[string]string
	annotations map[string]string
	rank        rank
	// ancestors are the cliques that the pods start after.
	ancestors []string
}

// builder takes the podSpec from the PodClique, which may be older than the template's, and everything else from the
// set: labels and annotations reach pods without a restart.
func (c Clique) builder(r release, clique *v1alpha1.PodCliqueTemplateSpec) builder {
	b := builder{
		release:   r,
		clique:    clique,
		spec:      plan.PodSpecConfiguration(&c.Object.Spec.PodSpec),
		labels:    r.template.CliqueLabels(clique, r.i),
		rank:      rankOf(r.template, clique),
		ancestors: ancestors(r.template, clique.Name),
	}
	b.labels[v1alpha1.LabelPodTemplateHash] = c.TemplateHash()
	b.annotations = maps.Clone(plan.PodAnnotations(clique))
	if len(clique.Labels)+len(b.annotations) > 0 {
		b.annotations = plan.Merge(b.annotations, map[string]string{v1alpha1.AnnotationTemplateMetadata: plan.MetadataHash(clique)})
	}
	b.spec.WithSubdomain(plan.HeadlessServiceName(c.Set.Name))
	if plan.ServiceAccountOf(&c.Object.Spec.PodSpec) == "" {
		b.spec.WithServiceAccountName(plan.AccountName(c.Set.Name))
	}
	if class := c.Set.Spec.Template.PriorityClassName; class != "" {
		b.spec.WithPriorityClassName(class)
	}
	return b
}

// rank places a member of a scaling group among the pods of its group replica.
type rank struct {
	// numPods is how many pods the template gives a group replica; before is how many of them are of members ahead of this one, own is
	// how many are its own.
	numPods, before, own int32
	// member and members are the position of the member, and how many there are.
	member, members int32
}

func rankOf(t plan.Template, clique *v1alpha1.PodCliqueTemplateSpec) rank {
	var r rank
	scalingGroup := t.ScalingGroupOf[clique.Name]
	if scalingGroup == nil {
		return r
	}
	ahead := true
	for _, member := range t.Members(scalingGroup) {
		pods := plan.ReplicasOf(member.Spec.Replicas)
		if member.Name == clique.Name {
			ahead, r.own = false, pods
		}
		if ahead {
			r.before += pods
			r.member++
		}
		r.numPods += pods
		r.members++
	}
	return r
}

// of is the rank of a member's pod. Those beyond the template's number, which a scaled clique has, rank behind all of the template's, in
// turns with those of other members, so that no two pods share a rank and none changes it.
func (r rank) of(index int32) int32 {
	if index < r.own {
		return r.before + index
	}
	return r.numPods + (index-r.own)*r.members + r.member
}

// newPod is a pod with its place in the gang. Some predecessors of it failed in a row.
func (b builder) newPod(id plan.PodIdentity, failures int) NewPod {
	m := b.Membership(id)
	pod := NewPod{Config: b.pod(id), Group: b.schedulerGroup(m), membership: m}
	if restarts := b.released.Restarts().Of(id.PodGroup); restarts > 0 {
		pod.Config.WithLabels(map[string]string{v1alpha1.LabelRestarts: plan.Index(restarts)})
	}
	if failures > 0 {
		pod.Config.WithAnnotations(map[string]string{v1alpha1.AnnotationFailures: strconv.Itoa(failures)})
	}
	b.place(pod.Config, m, b.shape(m), b.template.Leads(b.clique, id))
	return pod
}

// pod is the complete configuration of one pod.
func (b builder) pod(id plan.PodIdentity) *corev1ac.PodApplyConfiguration {
	env := b.env(id)
	spec := *b.spec
	spec.WithHostname(id.Name)
	spec.InitContainers = withEnv(spec.InitContainers, env)
	spec.Containers = withEnv(spec.Containers, env)
	b.startInOrder(&spec, id)
	return corev1ac.Pod(id.Name, b.Object.Namespace).
		WithLabels(b.podLabels(id)).
		WithAnnotations(b.annotations).
		WithOwnerReferences(plan.ControllerReference(b.Object, Kind)).
		WithSpec(&spec)
}

func (b builder) podLabels(id plan.PodIdentity) map[string]string {
	labels := plan.Merge(b.labels, map[string]string{v1alpha1.LabelPodIndex: plan.Index(id.Index)})
	if id.GroupReplica != nil {
		labels[v1alpha1.LabelGroupReplicaIndex] = plan.Index(*id.GroupReplica)
	}
	if len(b.topology.Packs) > 0 {
		labels[v1alpha1.LabelGangUnit] = b.Membership(id).Unit
	}
	if b.template.Leads(b.clique, id) {
		labels[v1alpha1.LabelReplicaLead] = v1alpha1.ReplicaLead
	}
	if b.template.CountsForSet(b.clique, id) {
		labels[v1alpha1.LabelAutoscaledBy] = b.Set.Name
	}
	return labels
}

func (b builder) env(id plan.PodIdentity) []*corev1ac.EnvVarApplyConfiguration {
	env := []*corev1ac.EnvVarApplyConfiguration{
		envVar(v1alpha1.EnvPodCliqueSetName, b.Set.Name),
		envVar(v1alpha1.EnvPodCliqueSetIndex, b.labels[v1alpha1.LabelReplicaIndex]),
		envVar(v1alpha1.EnvPodCliqueName, b.Object.Name),
		envVar(v1alpha1.EnvPodIndex, plan.Index(id.Index)),
		envVar(v1alpha1.EnvHeadlessService, plan.HeadlessDomain(b.Set)),
		envVar(v1alpha1.EnvPodAddress, plan.PodAddress(b.Set, id.Name)),
	}
	if id.GroupReplica == nil {
		return env
	}
	return append(env,
		envVar(v1alpha1.EnvLeaderAddress, plan.PodAddress(b.Set, b.leader(*id.GroupReplica))),
		envVar(v1alpha1.EnvScalingGroupName, b.ScalingGroup.Name),
		envVar(v1alpha1.EnvScalingGroupIndex, plan.Index(*id.GroupReplica)),
		envVar(v1alpha1.EnvScalingGroupNumPods, plan.Index(b.rank.numPods)),
		envVar(v1alpha1.EnvScalingGroupPodIndex, plan.Index(b.rank.of(id.Index))))
}

// leader is the name of the first pod of the first member in a group replica. A member that is turned off leads all the same: pods that were
// made before and after another took its place would follow different leaders.
func (b builder) leader(groupReplica int32) string {
	first := b.template.Members(b.template.ScalingGroupOf[b.clique.Name])[0]
	return plan.PodName(plan.PodGroupName(plan.PodCliqueName(b.Set.Name, first.Name, b.i), &groupReplica), 0)
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

// relabeled tells whether a pod lacks or contradicts labels, annotations or its owner, or has labels or annotations that have left the
// template, or counts for the set though another does by now, and how it should be. The hash stays: it says what the pod was made from, which is past changing; and so does the count of
// failures before it.
func (b builder) relabeled(id plan.PodIdentity, pod *corev1.Pod) (*corev1ac.PodApplyConfiguration, bool) {
	labels := b.podLabels(id)
	for _, born := range []string{v1alpha1.LabelPodTemplateHash, v1alpha1.LabelRestarts} {
		if value, ok := pod.Labels[born]; ok {
			labels[born] = value
		}
	}
	annotations := maps.Clone(b.annotations)
	if failures, ok := pod.Annotations[v1alpha1.AnnotationFailures]; ok {
		annotations = plan.Merge(annotations, map[string]string{v1alpha1.AnnotationFailures: failures})
	}
	_, counted := pod.Labels[v1alpha1.LabelAutoscaledBy]
	_, counts := labels[v1alpha1.LabelAutoscaledBy]
	same := counted == counts && pod.Annotations[v1alpha1.AnnotationTemplateMetadata] == b.annotations[v1alpha1.AnnotationTemplateMetadata]
	if same && contains(pod.Labels, labels) && contains(pod.Annotations, annotations) && metav1.IsControlledBy(pod, b.Object) {
		return nil, false
	}
	return b.pod(id).WithLabels(labels).WithAnnotations(annotations), true
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
