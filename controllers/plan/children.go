package plan

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	rbacv1ac "k8s.io/client-go/applyconfigurations/rbac/v1"

	grovev1alpha1 "grove.io/grove/apis/applyconfiguration/grove/v1alpha1"
	"grove.io/grove/apis/grove/v1alpha1"
)

// Children are the objects that a set asks for, except pods. Each is complete: a field that it leaves out isn't Grove's.
type Children struct {
	ServiceAccount *corev1ac.ServiceAccountApplyConfiguration
	Role           *rbacv1ac.RoleApplyConfiguration
	RoleBinding    *rbacv1ac.RoleBindingApplyConfiguration
	// Services has the headless Service, unless it is disabled.
	Services      []*corev1ac.ServiceApplyConfiguration
	ScalingGroups []*grovev1alpha1.PodCliqueScalingGroupApplyConfiguration
	// PodGangs and PodCliques are in the order of the replicas, PodCliques within one in the order of the template.
	PodGangs   []*grovev1alpha1.PodGangApplyConfiguration
	PodCliques []*grovev1alpha1.PodCliqueApplyConfiguration
}

// Children of a set, as its spec and the live replicas of its scalable children ask for them.
func (s Set) Children() Children {
	b := childBuilder{
		Set:            s,
		template:       templateOf(s.Object),
		cliqueReplicas: map[string]int32{},
		groupReplicas:  map[string]int32{},
	}
	children := Children{
		ServiceAccount: b.serviceAccount(),
		Role:           b.role(),
		RoleBinding:    b.roleBinding(),
	}
	if b.headlessServiceEnabled() {
		children.Services = append(children.Services, b.service())
	}
	for _, group := range b.groups {
		children.ScalingGroups = append(children.ScalingGroups, b.scalingGroup(group))
	}
	cliques := b.cliqueTemplates()
	for i := range s.Object.Spec.Replicas {
		for _, clique := range cliques {
			children.PodCliques = append(children.PodCliques, b.podClique(clique, i))
		}
		children.PodGangs = append(children.PodGangs, b.podGang(i))
	}
	return children
}

// childBuilder builds the children of one set. It collects the replicas that they will have, which the PodGangs depend on.
type childBuilder struct {
	Set
	template
	cliqueReplicas map[string]int32
	groupReplicas  map[string]int32
}

func (b *childBuilder) owner() *metav1ac.OwnerReferenceApplyConfiguration {
	return ControllerReference(b.Object, "PodCliqueSet")
}

// ControllerReference says that an object controls another.
func ControllerReference(owner metav1.Object, kind string) *metav1ac.OwnerReferenceApplyConfiguration {
	return metav1ac.OwnerReference().
		WithAPIVersion(v1alpha1.SchemeGroupVersion.String()).
		WithKind(kind).
		WithName(owner.GetName()).
		WithUID(owner.GetUID()).
		WithController(true).
		WithBlockOwnerDeletion(true)
}

func (b *childBuilder) serviceAccount() *corev1ac.ServiceAccountApplyConfiguration {
	account := corev1ac.ServiceAccount(b.Object.Name, b.Object.Namespace).
		WithLabels(setLabels(b.Object)).
		WithOwnerReferences(b.owner())
	for _, secret := range b.ImagePullSecrets {
		account.WithImagePullSecrets(corev1ac.LocalObjectReference().WithName(secret.Name))
	}
	return account
}

// role lets pods see how far their gang has come, which is what startup order waits for, and nothing else.
func (b *childBuilder) role() *rbacv1ac.RoleApplyConfiguration {
	return rbacv1ac.Role(b.Object.Name, b.Object.Namespace).
		WithLabels(setLabels(b.Object)).
		WithOwnerReferences(b.owner()).
		WithRules(rbacv1ac.PolicyRule().
			WithAPIGroups(v1alpha1.GroupName).
			WithResources("podgangs").
			WithVerbs("get", "list", "watch"))
}

func (b *childBuilder) roleBinding() *rbacv1ac.RoleBindingApplyConfiguration {
	binding := rbacv1ac.RoleBinding(b.Object.Name, b.Object.Namespace).
		WithLabels(setLabels(b.Object)).
		WithOwnerReferences(b.owner()).
		WithRoleRef(rbacv1ac.RoleRef().WithAPIGroup("rbac.authorization.k8s.io").WithKind("Role").WithName(b.Object.Name))
	for _, account := range b.serviceAccountNames() {
		binding.WithSubjects(rbacv1ac.Subject().
			WithKind("ServiceAccount").
			WithName(account).
			WithNamespace(b.Object.Namespace))
	}
	return binding
}

// serviceAccountNames are the accounts that the set's pods run as: the set's own, and those that podSpecs name.
func (b *childBuilder) serviceAccountNames() []string {
	names := []string{b.Object.Name}
	for i := range b.cliques() {
		if name := b.cliques()[i].Spec.PodSpec.ServiceAccountName; name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func (b *childBuilder) service() *corev1ac.ServiceApplyConfiguration {
	return corev1ac.Service(HeadlessServiceName(b.Object.Name), b.Object.Namespace).
		WithLabels(setLabels(b.Object)).
		WithOwnerReferences(b.owner()).
		WithSpec(corev1ac.ServiceSpec().
			WithClusterIP(corev1.ClusterIPNone).
			WithSelector(setLabels(b.Object)).
			WithPublishNotReadyAddresses(b.publishNotReadyAddresses()))
}

func (b *childBuilder) scalingGroup(group *v1alpha1.PodCliqueScalingGroupConfig) *grovev1alpha1.PodCliqueScalingGroupApplyConfiguration {
	name := ScalingGroupName(b.Object.Name, group.Name)
	spec := grovev1alpha1.PodCliqueScalingGroupSpec().
		WithCliqueNames(group.CliqueNames...).
		WithMinAvailable(groupMinAvailable(&group.PodCliqueScalingGroupSpec))
	s := scalable{template: replicasOf(group.Replicas), autoscaled: group.ScaleConfig != nil}
	if live := b.ScalingGroups[name]; live != nil {
		s.live, s.replicas = live, replicasOf(live.Spec.Replicas)
	}
	scale := s.scale()
	spec.Replicas = scale.replicas
	b.groupReplicas[name] = scale.effective
	if group.ScaleConfig != nil {
		spec.ScaleConfig = Configuration[grovev1alpha1.AutoScalingConfigApplyConfiguration](group.ScaleConfig)
	}
	return grovev1alpha1.PodCliqueScalingGroup(name, b.Object.Namespace).
		WithLabels(merge(setLabels(b.Object), map[string]string{v1alpha1.LabelPodCliqueScalingGroup: name})).
		WithAnnotations(map[string]string{v1alpha1.AnnotationTemplateReplicas: scale.applied}).
		WithOwnerReferences(b.owner()).
		WithSpec(spec)
}

// cliqueTemplate is what the PodCliques of one clique have in common.
type cliqueTemplate struct {
	*v1alpha1.PodCliqueTemplateSpec
	spec grovev1alpha1.AppliedPodCliqueSpecApplyConfiguration
	hash string
}

// cliqueTemplates are computed once for all replicas.
func (b *childBuilder) cliqueTemplates() []cliqueTemplate {
	var templates []cliqueTemplate
	for i, hash := range b.podTemplateHashes() {
		clique := &b.cliques()[i]
		spec := grovev1alpha1.AppliedPodCliqueSpec().
			WithRoleName(roleOf(clique)).
			WithPodSpec(podSpecConfiguration(&clique.Spec.PodSpec)).
			WithStartsAfter(clique.Spec.StartsAfter...)
		if clique.Spec.AutoScalingConfig != nil {
			spec.AutoScalingConfig = Configuration[grovev1alpha1.AutoScalingConfigApplyConfiguration](clique.Spec.AutoScalingConfig)
		}
		templates = append(templates, cliqueTemplate{
			PodCliqueTemplateSpec: clique,
			spec:                  *spec,
			hash:                  hash,
		})
	}
	return templates
}

func (b *childBuilder) podClique(clique cliqueTemplate, i int32) *grovev1alpha1.PodCliqueApplyConfiguration {
	name := PodCliqueName(b.Object.Name, clique.Name, i)
	s := scalable{template: replicasOf(clique.Spec.Replicas), autoscaled: clique.Spec.AutoScalingConfig != nil}
	if live := b.PodCliques[name]; live != nil {
		s.live, s.replicas = live, replicasOf(live.Spec.Replicas)
	}
	scale := s.scale()
	spec := clique.spec
	spec.Replicas = scale.replicas
	spec.WithMinAvailable(cliqueMinAvailable(&clique.Spec, scale.effective))
	b.cliqueReplicas[name] = scale.effective
	labels := b.cliqueLabels(clique.PodCliqueTemplateSpec, i)
	labels[v1alpha1.LabelPodTemplateHash] = clique.hash
	return grovev1alpha1.PodClique(name, b.Object.Namespace).
		WithLabels(labels).
		WithAnnotations(merge(clique.Annotations, map[string]string{v1alpha1.AnnotationTemplateReplicas: scale.applied})).
		WithOwnerReferences(b.owner()).
		WithSpec(&spec)
}

func (b *childBuilder) podGang(i int32) *grovev1alpha1.PodGangApplyConfiguration {
	gang := gang{template: b.template, i: i, cliqueReplicas: b.cliqueReplicas, groupReplicas: b.groupReplicas}
	return grovev1alpha1.PodGang(PodGangName(b.Object.Name, i), b.Object.Namespace).
		WithLabels(merge(mirrored(b.Object.Labels), replicaLabels(b.Object, i))).
		WithAnnotations(mirrored(b.Object.Annotations)).
		WithOwnerReferences(b.owner()).
		WithSpec(gang.spec())
}
