package podcliqueset

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	autoscalingv2ac "k8s.io/client-go/applyconfigurations/autoscaling/v2"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	policyv1ac "k8s.io/client-go/applyconfigurations/policy/v1"
	rbacv1ac "k8s.io/client-go/applyconfigurations/rbac/v1"

	grovev1alpha1 "grove.io/grove/apis/applyconfiguration/grove/v1alpha1"
	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// Kind is the kind of a PodCliqueSet.
const Kind = "PodCliqueSet"

// Children are the objects that a set asks for, except pods. Each is complete: a field that it leaves out isn't Grove's.
type Children struct {
	ServiceAccount *corev1ac.ServiceAccountApplyConfiguration
	Role           *rbacv1ac.RoleApplyConfiguration
	// RoleBinding is nil until the Role that it names was seen to be the set's: binding somebody else's Role would give a user of the
	// namespace rights that this user doesn't have.
	RoleBinding *rbacv1ac.RoleBindingApplyConfiguration
	// Services has the headless Service, unless it is disabled.
	Services      []*corev1ac.ServiceApplyConfiguration
	ScalingGroups []*grovev1alpha1.PodCliqueScalingGroupApplyConfiguration
	// Replicas are those of the set, in their order.
	Replicas []ReplicaChildren
	// Revision records the podSpecs as they are.
	Revision *appsv1ac.ControllerRevisionApplyConfiguration
	// DisruptionBudgets are those that the template asks for, and SurplusBudgets those that it doesn't, or not any more.
	DisruptionBudgets []*policyv1ac.PodDisruptionBudgetApplyConfiguration
	SurplusBudgets    []*policyv1.PodDisruptionBudget
	// Autoscalers has one for each PodClique with an autoScalingConfig, and for each scaling group with a scaleConfig.
	Autoscalers []*autoscalingv2ac.HorizontalPodAutoscalerApplyConfiguration
	// Problems are of replicas that are scaled too far: their PodGangs stay as they are.
	Problems []plan.Problem
}

// ReplicaChildren are what one replica of a set consists of, except pods.
type ReplicaChildren struct {
	// PodGang is nil for a replica that is scaled too far.
	PodGang *grovev1alpha1.PodGangApplyConfiguration
	// PodCliques are in the order of the template.
	PodCliques []*grovev1alpha1.PodCliqueApplyConfiguration
	// NumPods is how many pods it will have.
	NumPods int
}

// PodGangs are those of all replicas.
func (c Children) PodGangs() []*grovev1alpha1.PodGangApplyConfiguration {
	var all []*grovev1alpha1.PodGangApplyConfiguration
	for _, replica := range c.Replicas {
		if replica.PodGang != nil {
			all = append(all, replica.PodGang)
		}
	}
	return all
}

// PodCliques are those of all replicas.
func (c Children) PodCliques() []*grovev1alpha1.PodCliqueApplyConfiguration {
	var all []*grovev1alpha1.PodCliqueApplyConfiguration
	for _, replica := range c.Replicas {
		all = append(all, replica.PodCliques...)
	}
	return all
}

// Missing is how many PodGangs and PodCliques of some replicas don't exist yet.
func (s Set) Missing(replicas ...ReplicaChildren) int {
	n := 0
	for _, replica := range replicas {
		if replica.PodGang != nil && s.PodGangs[*replica.PodGang.Name] == nil {
			n++
		}
		for _, podClique := range replica.PodCliques {
			if s.PodCliques[*podClique.Name] == nil {
				n++
			}
		}
	}
	return n
}

// Children of a set, as its spec and the live replicas of its scalable children ask for them.
func (s Set) Children() Children {
	b := childBuilder{
		Set:                  s,
		template:             plan.TemplateOf(s.Object),
		cliqueReplicas:       map[string]int32{},
		scalingGroupReplicas: map[string]int32{},
	}
	children := Children{
		ServiceAccount: b.serviceAccount(),
		Role:           b.role(),
		Revision:       s.revisionOf(b.template),
		Autoscalers:    s.autoscalers(),
	}
	if s.Role != nil && metav1.IsControlledBy(s.Role, s.Object) {
		children.RoleBinding = b.roleBinding()
	}
	if b.template.HeadlessServiceEnabled() {
		children.Services = append(children.Services, b.service())
	}
	for _, scalingGroup := range b.template.ScalingGroups {
		children.ScalingGroups = append(children.ScalingGroups, b.scalingGroup(scalingGroup))
	}
	cliques := b.cliqueTemplates()
	rollout := s.rollout(b.template, b.template.PodTemplateHashes())
	if slices.Contains(rollout.takes, false) {
		b.earlier = s.past()
	}
	for i := range s.Object.Spec.Replicas {
		var replica ReplicaChildren
		for _, clique := range cliques {
			replica.PodCliques = append(replica.PodCliques, b.podClique(clique, i, rollout.takes[i], rollout.outdated[i]))
		}
		children.DisruptionBudgets = append(children.DisruptionBudgets, b.disruptionBudgets(i)...)
		pods := b.numPods(i)
		replica.NumPods = int(pods)
		if gang, problem := b.boundedPodGang(i, pods); problem == nil {
			replica.PodGang = gang
		} else {
			children.Problems = append(children.Problems, *problem)
		}
		children.Replicas = append(children.Replicas, replica)
	}
	children.SurplusBudgets = s.surplusBudgets(children.DisruptionBudgets)
	return children
}

// childBuilder builds the children of one set. It collects the replicas that they will have, which the PodGangs depend on.
type childBuilder struct {
	Set
	template plan.Template
	// earlier are the templates that replicas keep which don't take today's.
	earlier              []map[string]hashed
	cliqueReplicas       map[string]int32
	scalingGroupReplicas map[string]int32
}

func (b *childBuilder) owner() *metav1ac.OwnerReferenceApplyConfiguration {
	return plan.ControllerReference(b.Object, Kind)
}

// serviceAccount has the imagePullSecrets of the namespace's default account, and those that others added. It says of which it took
// from there, since the list has no owner for each item.
func (b *childBuilder) serviceAccount() *corev1ac.ServiceAccountApplyConfiguration {
	account := corev1ac.ServiceAccount(plan.AccountName(b.Object.Name), b.Object.Namespace).
		WithLabels(plan.SetLabels(b.Object)).
		WithOwnerReferences(b.owner())
	var mirrored, wanted []string
	for _, secret := range b.ImagePullSecrets {
		mirrored = append(mirrored, secret.Name)
	}
	if b.Account != nil {
		before := strings.Split(b.Account.Annotations[v1alpha1.AnnotationPullSecrets], ",")
		for _, secret := range b.Account.ImagePullSecrets {
			if slices.Contains(mirrored, secret.Name) || !slices.Contains(before, secret.Name) {
				wanted = append(wanted, secret.Name)
			}
		}
	}
	for _, name := range mirrored {
		if !slices.Contains(wanted, name) {
			wanted = append(wanted, name)
		}
	}
	for _, name := range wanted {
		account.WithImagePullSecrets(corev1ac.LocalObjectReference().WithName(name))
	}
	if len(mirrored) > 0 {
		account.WithAnnotations(map[string]string{v1alpha1.AnnotationPullSecrets: strings.Join(mirrored, ",")})
	}
	return account
}

// role lets pods see how far their gang has come, which is what startup order waits for, and nothing else.
func (b *childBuilder) role() *rbacv1ac.RoleApplyConfiguration {
	return rbacv1ac.Role(plan.AccountName(b.Object.Name), b.Object.Namespace).
		WithLabels(plan.SetLabels(b.Object)).
		WithOwnerReferences(b.owner()).
		WithRules(rbacv1ac.PolicyRule().
			WithAPIGroups(v1alpha1.GroupName).
			WithResources("podgangs").
			WithVerbs("get", "list", "watch"))
}

func (b *childBuilder) roleBinding() *rbacv1ac.RoleBindingApplyConfiguration {
	name := plan.AccountName(b.Object.Name)
	binding := rbacv1ac.RoleBinding(name, b.Object.Namespace).
		WithLabels(plan.SetLabels(b.Object)).
		WithOwnerReferences(b.owner()).
		WithRoleRef(rbacv1ac.RoleRef().WithAPIGroup("rbac.authorization.k8s.io").WithKind("Role").WithName(name))
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
	names := []string{plan.AccountName(b.Object.Name)}
	for i := range b.template.Cliques() {
		name := plan.ServiceAccountOf(&b.template.Cliques()[i].Spec.PodSpec)
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func (b *childBuilder) service() *corev1ac.ServiceApplyConfiguration {
	return corev1ac.Service(plan.HeadlessServiceName(b.Object.Name), b.Object.Namespace).
		WithLabels(plan.SetLabels(b.Object)).
		WithOwnerReferences(b.owner()).
		WithSpec(corev1ac.ServiceSpec().
			WithClusterIP(corev1.ClusterIPNone).
			WithSelector(plan.SetLabels(b.Object)).
			WithPublishNotReadyAddresses(b.template.PublishNotReadyAddresses()))
}

func (b *childBuilder) scalingGroup(config *v1alpha1.PodCliqueScalingGroupConfig) *grovev1alpha1.PodCliqueScalingGroupApplyConfiguration {
	name := plan.ScalingGroupName(b.Object.Name, config.Name)
	minAvailable := plan.ScalingGroupMinAvailable(&config.PodCliqueScalingGroupSpec)
	spec := grovev1alpha1.PodCliqueScalingGroupSpec().
		WithCliqueNames(config.CliqueNames...).
		WithMinAvailable(minAvailable)
	s := scalable{
		template:   plan.ReplicasOf(config.Replicas),
		said:       func() bool { return saysReplicas(b.Object, "podCliqueScalingGroups", config.Name, "replicas") },
		autoscaled: config.ScaleConfig != nil,
	}
	if live := b.ScalingGroups[name]; live != nil {
		s.live, s.replicas = live, plan.ReplicasOf(live.Spec.Replicas)
	}
	scale := s.scale()
	spec.Replicas = scale.replicas
	b.scalingGroupReplicas[name] = plan.Raised(scale.effective, minAvailable)
	if config.ScaleConfig != nil {
		spec.ScaleConfig = plan.Configuration[grovev1alpha1.AutoScalingConfigApplyConfiguration](config.ScaleConfig)
	}
	return grovev1alpha1.PodCliqueScalingGroup(name, b.Object.Namespace).
		WithLabels(plan.Merge(plan.SetLabels(b.Object), map[string]string{v1alpha1.LabelPodCliqueScalingGroup: name})).
		WithAnnotations(map[string]string{v1alpha1.AnnotationTemplateReplicas: scale.applied}).
		WithOwnerReferences(b.owner()).
		WithSpec(spec)
}

// cliqueTemplate is what the PodCliques of one clique have in common.
type cliqueTemplate struct {
	*v1alpha1.PodCliqueTemplateSpec
	spec        grovev1alpha1.AppliedPodCliqueSpecApplyConfiguration
	hash        string
	restartedAt string
}

// cliqueTemplates are computed once for all replicas.
func (b *childBuilder) cliqueTemplates() []cliqueTemplate {
	var templates []cliqueTemplate
	for i, hash := range b.template.PodTemplateHashes() {
		clique := &b.template.Cliques()[i]
		spec := grovev1alpha1.AppliedPodCliqueSpec().
			WithRoleName(plan.RoleOf(clique)).
			WithPodSpec(plan.PodSpecConfiguration(&clique.Spec.PodSpec)).
			WithMinAvailable(plan.CliqueMinAvailable(&clique.Spec)).
			WithStartsAfter(clique.Spec.StartsAfter...)
		if clique.Spec.AutoScalingConfig != nil {
			spec.AutoScalingConfig = plan.Configuration[grovev1alpha1.AutoScalingConfigApplyConfiguration](clique.Spec.AutoScalingConfig)
		}
		templates = append(templates, cliqueTemplate{
			PodCliqueTemplateSpec: clique,
			spec:                  *spec,
			hash:                  hash,
			restartedAt:           b.template.RestartedAt(clique),
		})
	}
	return templates
}

// podClique is a PodClique that takes today's podSpec, or keeps the one that it has. Old are the PodCliques with pods of another than their own.
func (b *childBuilder) podClique(clique cliqueTemplate, i int32, takes bool, old map[string]bool) *grovev1alpha1.PodCliqueApplyConfiguration {
	name := plan.PodCliqueName(b.Object.Name, clique.Name, i)
	s := scalable{
		template:   plan.ReplicasOf(clique.Spec.Replicas),
		said:       func() bool { return saysReplicas(b.Object, "cliques", clique.Name, "spec", "replicas") },
		autoscaled: clique.Spec.AutoScalingConfig != nil,
	}
	if live := b.PodCliques[name]; live != nil {
		s.live, s.replicas = live, plan.ReplicasOf(live.Spec.Replicas)
	}
	scale := s.scale()
	spec := clique.spec
	spec.Replicas = scale.replicas
	b.cliqueReplicas[name] = plan.Raised(scale.effective, *spec.MinAvailable)
	hash, restartedAt := clique.hash, clique.restartedAt
	if !takes {
		if kept := b.kept(clique, i); kept != nil {
			spec.PodSpec = plan.PodSpecConfiguration(&kept.PodSpec)
			hash, restartedAt = kept.Hash(), kept.RestartedAt
		}
	}
	labels := b.template.CliqueLabels(clique.PodCliqueTemplateSpec, i)
	labels[v1alpha1.LabelPodTemplateHash] = hash
	annotations := plan.Merge(plan.PodAnnotations(clique.PodCliqueTemplateSpec), map[string]string{v1alpha1.AnnotationTemplateReplicas: scale.applied})
	if restartedAt != "" {
		annotations[v1alpha1.AnnotationRestartedAt] = restartedAt
	}
	delete(annotations, v1alpha1.AnnotationUpdateTo)
	if to := b.updateTo(b.PodCliques[name], hash, takes, old[name]); to != "" {
		annotations[v1alpha1.AnnotationUpdateTo] = to
	}
	return grovev1alpha1.PodClique(name, b.Object.Namespace).
		WithLabels(labels).
		WithAnnotations(annotations).
		WithOwnerReferences(b.owner()).
		WithSpec(&spec)
}

// kept is what the pods of a PodClique are made from that doesn't take today's podSpec: what its hash says, as it was recorded, so that what
// somebody edits by hand is put back; else what it has. One that is gone gets what the rest of its replica was made with.
func (b *childBuilder) kept(clique cliqueTemplate, i int32) *plan.PodTemplate {
	live := b.PodCliques[plan.PodCliqueName(b.Object.Name, clique.Name, i)]
	if live == nil {
		return b.before(clique.Name, i)
	}
	if recorded := b.recorded(clique.Name, live.Labels[v1alpha1.LabelPodTemplateHash]); recorded != nil {
		return recorded
	}
	return &plan.PodTemplate{Name: clique.Name, PodSpec: live.Spec.PodSpec, RestartedAt: live.Annotations[v1alpha1.AnnotationRestartedAt]}
}

// boundedPodGang is the PodGang of replica i, which will have so many pods, or why there can't be one as large.
func (b *childBuilder) boundedPodGang(i int32, pods int64) (*grovev1alpha1.PodGangApplyConfiguration, *plan.Problem) {
	if pods > plan.MostPods {
		return nil, &plan.Problem{Reason: v1alpha1.ReasonTooManyPods, Message: fmt.Sprintf(
			"replica %d is scaled to %d pods, and may have %d: scale its PodCliques or PodCliqueScalingGroups in", i, pods, plan.MostPods)}
	}
	gang := b.podGang(i)
	if gangBytes(gang.Spec) > mostGangBytes {
		problem := tooLarge(*gang.Name)
		return nil, &problem
	}
	return gang, nil
}

func (b *childBuilder) podGang(i int32) *grovev1alpha1.PodGangApplyConfiguration {
	return grovev1alpha1.PodGang(plan.PodGangName(b.Object.Name, i), b.Object.Namespace).
		WithLabels(plan.Merge(plan.Mirrored(b.Object.Labels), plan.ReplicaLabels(b.Object, i))).
		WithAnnotations(plan.Mirrored(b.Object.Annotations)).
		WithOwnerReferences(b.owner()).
		WithSpec(b.gangSpec(i))
}

// numPods is how many pods replica i will have.
func (b *childBuilder) numPods(i int32) int64 {
	var pods int64
	for j := range b.template.Cliques() {
		clique := &b.template.Cliques()[j]
		of := int64(b.cliqueReplicas[plan.PodCliqueName(b.Object.Name, clique.Name, i)])
		if scalingGroup := b.template.ScalingGroupOf[clique.Name]; scalingGroup != nil {
			of *= int64(b.scalingGroupReplicas[plan.ScalingGroupName(b.Object.Name, scalingGroup.Name)])
		}
		pods += of
	}
	return pods
}
