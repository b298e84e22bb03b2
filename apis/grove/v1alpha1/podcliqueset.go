package v1alpha1

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// PodCliqueSet is a workload of several components that are placed, started, scaled, updated and replaced together.
//
// Its name is a DNS label, since names of pods and of a Service begin with it. A pod's name, its host name and the value of a
// label have 63 characters at most: 4 of them are kept for the index of a replica of the set, 3 for that of a group replica and 4
// for that of a pod. So the set's name and a clique's have 52 characters together at most, 48 if the clique is in a scaling
// group, and the set's name and a group's have 53.
//
// +genclient
// +genclient:method=GetScale,verb=get,subresource=scale,result=k8s.io/api/autoscaling/v1.Scale
// +genclient:method=UpdateScale,verb=update,subresource=scale,input=k8s.io/api/autoscaling/v1.Scale,result=k8s.io/api/autoscaling/v1.Scale
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=pcs,categories=grove
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.replicas,statuspath=.status.replicas,selectorpath=.status.selector
// +kubebuilder:printcolumn:name="Replicas",type=integer,JSONPath=`.spec.replicas`
// +kubebuilder:printcolumn:name="Available",type=integer,JSONPath=`.status.availableReplicas`
// +kubebuilder:printcolumn:name="Updated",type=integer,JSONPath=`.status.updatedReplicas`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Available")].message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:fieldPath=`.metadata`,rule=`!format.dns1123Label().validate(self.metadata.name).hasValue()`,messageExpression=`'name "%s" must be a DNS label: lower-case letters, digits and "-", with a letter or digit at each end, at most 63 in all'.format([self.metadata.name])`
// +kubebuilder:validation:XValidation:fieldPath=`.spec.template.cliques`,rule=`self.spec.template.cliques.all(c, self.metadata.name.size() + c.name.size() <= 52)`,messageExpression=`'metadata.name (%d characters) and the name of a clique may have 52 characters together, so that names of pods fit into 63; too long: %s'.format([self.metadata.name.size(), self.spec.template.cliques.map(c, self.metadata.name.size() + c.name.size() > 52, '%s (%d)'.format([c.name, c.name.size()]))])`
// +kubebuilder:validation:XValidation:fieldPath=`.spec.template.podCliqueScalingGroups`,rule=`!has(self.spec.template.podCliqueScalingGroups) || self.spec.template.podCliqueScalingGroups.all(g, g.cliqueNames.all(n, self.metadata.name.size() + n.size() <= 48))`,messageExpression=`'metadata.name (%d characters) and the name of a clique in a scaling group may have 48 characters together, so that names of pods fit into 63; too long: %s'.format([self.metadata.name.size(), self.spec.template.podCliqueScalingGroups.map(g, g.cliqueNames.map(n, self.metadata.name.size() + n.size() > 48, '%s (%d)'.format([n, n.size()]))).flatten()])`
// +kubebuilder:validation:XValidation:fieldPath=`.spec.template.podCliqueScalingGroups`,rule=`!has(self.spec.template.podCliqueScalingGroups) || self.spec.template.podCliqueScalingGroups.all(g, self.metadata.name.size() + g.name.size() <= 53)`,messageExpression=`'metadata.name (%d characters) and the name of a scaling group may have 53 characters together, so that names of gang units fit into 63; too long: %s'.format([self.metadata.name.size(), self.spec.template.podCliqueScalingGroups.map(g, self.metadata.name.size() + g.name.size() > 53, '%s (%d)'.format([g.name, g.name.size()]))])`
type PodCliqueSet struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the user asks for.
	// +required
	Spec PodCliqueSetSpec `json:"spec"`
	// status is what Grove observed last.
	// +optional
	Status PodCliqueSetStatus `json:"status,omitempty"`
}

// PodCliqueSetList is a list of PodCliqueSets.
//
// +kubebuilder:object:root=true
type PodCliqueSetList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []PodCliqueSet `json:"items"`
}

// PodCliqueSetSpec is what the user asks for.
//
// +kubebuilder:validation:XValidation:fieldPath=`.replicaSpreadConstraints`,reason=FieldValueForbidden,rule=`(has(self.replicaSpreadConstraints) ? self.replicaSpreadConstraints : []) == (has(oldSelf.replicaSpreadConstraints) ? oldSelf.replicaSpreadConstraints : [])`,message=`replicaSpreadConstraints are immutable`
// +kubebuilder:validation:XValidation:fieldPath=`.replicas`,optionalOldSelf=true,rule=`self.replicas > 9999 || self.replicas * self.template.cliques.map(c, c.spec.replicas <= 9999, c.spec.replicas * ((has(self.template.podCliqueScalingGroups) ? self.template.podCliqueScalingGroups.map(g, c.name in g.cliqueNames && g.replicas <= 999, g.replicas) : []) + [1])[0]).sum() <= 20000 || oldSelf.hasValue() && self.replicas <= oldSelf.value().replicas && [oldSelf.value().template].exists(o, self.template.cliques.size() == o.cliques.size() && self.template.cliques.all(i, n, n.name == o.cliques[i].name && n.spec.replicas <= o.cliques[i].spec.replicas) && (!has(self.template.podCliqueScalingGroups) || has(o.podCliqueScalingGroups) && self.template.podCliqueScalingGroups.size() == o.podCliqueScalingGroups.size() && self.template.podCliqueScalingGroups.all(i, n, n.name == o.podCliqueScalingGroups[i].name && n.replicas <= o.podCliqueScalingGroups[i].replicas)))`,messageExpression=`'%d replicas with %d pods each would be %d pods, and a set may have 20000: lower replicas, or those of cliques or scaling groups'.format([self.replicas, self.template.cliques.map(c, c.spec.replicas <= 9999, c.spec.replicas * ((has(self.template.podCliqueScalingGroups) ? self.template.podCliqueScalingGroups.map(g, c.name in g.cliqueNames && g.replicas <= 999, g.replicas) : []) + [1])[0]).sum(), self.replicas * self.template.cliques.map(c, c.spec.replicas <= 9999, c.spec.replicas * ((has(self.template.podCliqueScalingGroups) ? self.template.podCliqueScalingGroups.map(g, c.name in g.cliqueNames && g.replicas <= 999, g.replicas) : []) + [1])[0]).sum()])`
// +kubebuilder:validation:XValidation:fieldPath=`.replicas`,optionalOldSelf=true,rule=`self.replicas > 9999 || self.replicas * self.template.cliques.size() <= 5000 || oldSelf.hasValue() && self.replicas <= oldSelf.value().replicas`,messageExpression=`'%d replicas with %d cliques each would be %d PodCliques, and a set may have 5000: lower replicas'.format([self.replicas, self.template.cliques.size(), self.replicas * self.template.cliques.size()])`
// +kubebuilder:validation:XValidation:fieldPath=`.template.cliques`,rule=`!has(self.replicaSpreadConstraints) || [self.replicaSpreadConstraints.map(r, {r.whenUnsatisfiable: {r.topologyKey: 0}})].all(keys, !self.template.cliques.exists(c, has(c.spec.podSpec.topologySpreadConstraints) && lists.range(64).exists(i, i < c.spec.podSpec.topologySpreadConstraints.size() && [c.spec.podSpec.topologySpreadConstraints[i]].exists(t, keys.exists(k, t.whenUnsatisfiable in k && t.topologyKey in k[t.whenUnsatisfiable])))))`,messageExpression=`'podSpec.topologySpreadConstraints can not have both topologyKey and whenUnsatisfiable of one of replicaSpreadConstraints, which Grove adds to them: %s in %s'.format([self.replicaSpreadConstraints.map(r, [[{r.whenUnsatisfiable: {r.topologyKey: 0}}]].exists(keys, self.template.cliques.exists(c, has(c.spec.podSpec.topologySpreadConstraints) && lists.range(64).exists(i, i < c.spec.podSpec.topologySpreadConstraints.size() && [c.spec.podSpec.topologySpreadConstraints[i]].exists(t, keys.exists(k, t.whenUnsatisfiable in k && t.topologyKey in k[t.whenUnsatisfiable]))))), r.topologyKey), [self.replicaSpreadConstraints.map(r, {r.whenUnsatisfiable: {r.topologyKey: 0}})].map(keys, self.template.cliques.map(c, has(c.spec.podSpec.topologySpreadConstraints) && lists.range(64).exists(i, i < c.spec.podSpec.topologySpreadConstraints.size() && [c.spec.podSpec.topologySpreadConstraints[i]].exists(t, keys.exists(k, t.whenUnsatisfiable in k && t.topologyKey in k[t.whenUnsatisfiable]))), c.name)).flatten()])`
type PodCliqueSetSpec struct {
	// replicas is how many times the whole template runs. Each replica is a PodGang of its own. 0 turns the set off. Times what
	// the template says, it may come to 20000 pods and to 5000 PodCliques. A set that has more already can only shrink.
	// +required
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=9999
	Replicas int32 `json:"replicas"`
	// template describes one replica.
	// +required
	Template PodCliqueSetTemplateSpec `json:"template"`
	// replicaSpreadConstraints spread the replicas, each as a unit, over the domains of a topology key; each replica stays
	// inside one domain. DoNotSchedule requires that, ScheduleAnyway prefers it. Grove sets the selectors, so labelSelector and
	// matchLabelKeys can't be given, and a podSpec can't have a constraint of its own with the same topologyKey and
	// whenUnsatisfiable. At most 8. Immutable.
	// +optional
	// +listType=map
	// +listMapKey=topologyKey
	// +listMapKey=whenUnsatisfiable
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:XValidation:rule=`self.all(c, !has(c.labelSelector))`,messageExpression=`'labelSelector can not be given, since Grove sets the selectors: %s'.format([self.map(c, has(c.labelSelector), c.topologyKey)])`
	// +kubebuilder:validation:XValidation:rule=`self.all(c, !has(c.matchLabelKeys))`,messageExpression=`'matchLabelKeys can not be given, since Grove sets the selectors: %s'.format([self.map(c, has(c.matchLabelKeys), c.topologyKey)])`
	// +kubebuilder:validation:XValidation:rule=`self.all(c, c.topologyKey.size() <= 317 && c.topologyKey.matches(r'^[-.\w/]+$'))`,messageExpression=`'topologyKey must be the key of a node label: %s'.format([self.map(c, c.topologyKey.size() > 317 || !c.topologyKey.matches(r'^[-.\w/]+$'), c.topologyKey)])`
	// +kubebuilder:validation:XValidation:rule=`self.all(c, c.maxSkew >= 1)`,messageExpression=`'maxSkew must be at least 1: %s'.format([self.map(c, c.maxSkew < 1, '%d in %s'.format([c.maxSkew, c.topologyKey]))])`
	// +kubebuilder:validation:XValidation:rule=`self.all(c, c.whenUnsatisfiable in {'DoNotSchedule': 0, 'ScheduleAnyway': 0})`,messageExpression=`'whenUnsatisfiable must be DoNotSchedule or ScheduleAnyway: %s'.format([self.map(c, !(c.whenUnsatisfiable in {'DoNotSchedule': 0, 'ScheduleAnyway': 0}), '%s in %s'.format([c.whenUnsatisfiable, c.topologyKey]))])`
	ReplicaSpreadConstraints []corev1.TopologySpreadConstraint `json:"replicaSpreadConstraints,omitempty"`
	// updateStrategy says how pods are replaced after a podSpec has changed.
	// +optional
	// +kubebuilder:default={}
	UpdateStrategy UpdateStrategy `json:"updateStrategy,omitempty"`
	// revisionHistoryLimit is how many ControllerRevisions of earlier podSpecs are kept. Default 10.
	// +optional
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	RevisionHistoryLimit *int32 `json:"revisionHistoryLimit,omitempty"`
}

// UpdateStrategyType says who replaces the pods of an older podSpec, and in which steps.
//
// +kubebuilder:validation:Enum=RollingRecreate;Coherent;OnDelete
type UpdateStrategyType string

const (
	// RollingRecreate replaces one replica of the set at a time and, inside of it, first group replicas and then pods of standalone
	// cliques, as many at a time as maxUnavailable says.
	RollingRecreate UpdateStrategyType = "RollingRecreate"
	// Coherent replaces all pods of a replica together, so that two podSpecs never work side by side in one; as many replicas at a
	// time as maxUnavailable says.
	Coherent UpdateStrategyType = "Coherent"
	// OnDelete leaves pods as they are until somebody deletes them.
	OnDelete UpdateStrategyType = "OnDelete"
)

// InPlacePolicy says whether pods take a changed podSpec without being replaced.
//
// +kubebuilder:validation:Enum=Never;IfPossible
type InPlacePolicy string

const (
	// InPlaceNever replaces each pod whose podSpec has changed.
	InPlaceNever InPlacePolicy = "Never"
	// InPlaceIfPossible changes pods where they are, as far as Kubernetes can, and replaces the others.
	InPlaceIfPossible InPlacePolicy = "IfPossible"
)

// UpdateStrategy says how pods are replaced after a podSpec has changed.
type UpdateStrategy struct {
	// type is RollingRecreate (default), Coherent or OnDelete.
	// +optional
	// +kubebuilder:default=RollingRecreate
	Type UpdateStrategyType `json:"type,omitempty"`
	// maxUnavailable is how many pods of a standalone clique, or replicas of a scaling group, an update replaces at once, beyond
	// those that aren't ready anyway; with Coherent, how many replicas of the set. A number, or a percentage of what there is,
	// rounded down, 1 at least. An update never goes below minAvailable with it, unless that is all there is. Default 1.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:XValidation:rule=`type(self) == int ? self >= 1 && self <= 9999 : self.size() <= 4 && self.matches('^([1-9][0-9]?|100)%$')`,message=`must be a number of at least 1, or a percentage from 1% to 100%`
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`
	// inPlace is Never (default) or IfPossible, which changes pods where they are after an edit of nothing but images of containers and
	// sidecars, or of their requests and limits of cpu and memory: the kubelet restarts containers with another image, and a pod keeps
	// its node, its UID and its place in the gang. Steps, order and maxUnavailable are the same. A pod that can't be changed so is
	// replaced. The type OnDelete leaves pods as they are.
	// +optional
	// +kubebuilder:default=Never
	InPlace InPlacePolicy `json:"inPlace,omitempty"`
	// partition keeps the replicas of the set below it at the podSpecs that they have. Default 0.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Partition int32 `json:"partition,omitempty"`
	// paused stops an update: no more pods are replaced until it is false again.
	// +optional
	Paused bool `json:"paused,omitempty"`
	// progressDeadline is how long an update may go without getting anything done before it stops and says so, in the notation of Go.
	// Default 10m.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule=`self.matches('^(0|([0-9]{1,9}([.][0-9]{1,9})?(ns|us|µs|ms|s)|[0-9]{1,6}([.][0-9]{1,9})?(m|h))+)$') && duration(self) <= duration('999999h')`,message=`must be a duration such as 90s, 30m or 1h30m, not negative, and at most 999999h`
	ProgressDeadline *metav1.Duration `json:"progressDeadline,omitempty"`
}

// CliqueStartupType says in which order the cliques of a replica start.
//
// +kubebuilder:validation:Enum=CliqueStartupTypeAnyOrder;CliqueStartupTypeInOrder;CliqueStartupTypeExplicit
type CliqueStartupType string

const (
	// CliqueStartupTypeAnyOrder starts all cliques at once.
	CliqueStartupTypeAnyOrder CliqueStartupType = "CliqueStartupTypeAnyOrder"
	// CliqueStartupTypeInOrder starts each clique after all cliques before it in the list.
	CliqueStartupTypeInOrder CliqueStartupType = "CliqueStartupTypeInOrder"
	// CliqueStartupTypeExplicit starts each clique after those that its startsAfter names, and those that they name.
	CliqueStartupTypeExplicit CliqueStartupType = "CliqueStartupTypeExplicit"
)

// HeadlessServiceConfig configures the Service by which pods find each other.
type HeadlessServiceConfig struct {
	// enabled creates the Service. Default true.
	// +optional
	// +kubebuilder:default=true
	Enabled *bool `json:"enabled,omitempty"`
	// publishNotReadyAddresses lets pods be found before they are ready. Default true.
	// +optional
	// +kubebuilder:default=true
	PublishNotReadyAddresses *bool `json:"publishNotReadyAddresses,omitempty"`
}

// PodDisruptionBudgetConfig configures the PodDisruptionBudgets of a set. In each replica of the set there is one for each standalone clique,
// named as its PodClique, and one for each scaling group, named {scaling group}-{replica}-group. No pod is in two, as evictions require.
//
// Their minAvailable is a number of pods that follows every scaling. For a clique it is the clique's own. For a scaling group it is all of
// its pods but as many as the clique that can spare least may have above its minAvailable in one group replica: more could all be taken
// from that one. So where replicas is minAvailable, which is the default, no pod can be evicted.
type PodDisruptionBudgetConfig struct {
	// unhealthyPodEvictionPolicy says whether a pod that isn't ready may be evicted: IfHealthyBudget, if as many others as minAvailable
	// are ready, or AlwaysAllow, even while it starts. Default IfHealthyBudget.
	// +optional
	// +kubebuilder:validation:Enum=IfHealthyBudget;AlwaysAllow
	// +kubebuilder:default=IfHealthyBudget
	UnhealthyPodEvictionPolicy policyv1.UnhealthyPodEvictionPolicyType `json:"unhealthyPodEvictionPolicy,omitempty"`
}

// SchedulingPolicyConfig says which cliques belong close together. Its two fields mean the same; give one.
//
// +kubebuilder:validation:AtMostOneOf=networkPackGroupConfigs;networkPackGroups
type SchedulingPolicyConfig struct {
	// networkPackGroupConfigs are groups of cliques whose pods belong close together.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	NetworkPackGroupConfigs []NetworkPackGroupConfig `json:"networkPackGroupConfigs,omitempty"`
	// networkPackGroups is another spelling of networkPackGroupConfigs.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	NetworkPackGroups []NetworkPackGroupConfig `json:"networkPackGroups,omitempty"`
}

// NetworkPackGroupConfig names cliques whose pods belong close together.
type NetworkPackGroupConfig struct {
	// cliqueNames are the cliques. A clique is in one pack group at most.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=63
	CliqueNames []string `json:"cliqueNames"`
	// topologyKey is the node label whose value the pods shall share. Default: the operator's --network-topology-key.
	// +optional
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`
	TopologyKey string `json:"topologyKey,omitempty"`
	// whenUnsatisfiable is ScheduleAnyway (default: pack if possible) or DoNotSchedule (pack or wait).
	// +optional
	// +kubebuilder:validation:Enum=ScheduleAnyway;DoNotSchedule
	WhenUnsatisfiable corev1.UnsatisfiableConstraintAction `json:"whenUnsatisfiable,omitempty"`
}

// PodCliqueTemplateSpec describes one component of a replica.
//
// +kubebuilder:validation:XValidation:fieldPath=`.spec.replicas`,rule=`!has(self.spec.minAvailable) || self.spec.replicas < 1 || self.spec.replicas >= self.spec.minAvailable`,messageExpression=`'%d is below the floor, minAvailable, which is %d; only 0, which turns the clique off, is allowed below it'.format([self.spec.replicas, self.spec.minAvailable])`
// +kubebuilder:validation:XValidation:fieldPath=`.spec.autoScalingConfig.maxReplicas`,rule=`!has(self.spec.autoScalingConfig) || self.spec.autoScalingConfig.maxReplicas >= (has(self.spec.minAvailable) ? self.spec.minAvailable : self.spec.replicas)`,messageExpression=`'%d is below minAvailable of clique "%s", which is %d'.format([self.spec.autoScalingConfig.maxReplicas, self.name, has(self.spec.minAvailable) ? self.spec.minAvailable : self.spec.replicas])`
// +kubebuilder:validation:XValidation:fieldPath=`.spec.minAvailable`,reason=FieldValueForbidden,rule=`self.spec.?minAvailable == oldSelf.spec.?minAvailable`,messageExpression=`'minAvailable of clique "%s" is immutable: it was %s'.format([self.name, has(oldSelf.spec.minAvailable) ? string(oldSelf.spec.minAvailable) : 'unset'])`
// +kubebuilder:validation:XValidation:fieldPath=`.spec.roleName`,reason=FieldValueForbidden,rule=`(has(self.spec.roleName) ? self.spec.roleName : "") == (has(oldSelf.spec.roleName) ? oldSelf.spec.roleName : "")`,messageExpression=`'roleName of clique "%s" is immutable: it was "%s"'.format([self.name, (has(oldSelf.spec.roleName) ? oldSelf.spec.roleName : "")])`
// +kubebuilder:validation:XValidation:fieldPath=`.spec.startsAfter`,reason=FieldValueForbidden,rule=`sets.equivalent((has(self.spec.startsAfter) ? self.spec.startsAfter : []), (has(oldSelf.spec.startsAfter) ? oldSelf.spec.startsAfter : []))`,messageExpression=`'startsAfter of clique "%s" is immutable: it was %s'.format([self.name, (has(oldSelf.spec.startsAfter) ? oldSelf.spec.startsAfter : [])])`
// +kubebuilder:validation:XValidation:fieldPath=`.spec.podSpec.schedulerName`,reason=FieldValueForbidden,rule=`(has(self.spec.podSpec.schedulerName) && self.spec.podSpec.schedulerName.size() > 0 ? self.spec.podSpec.schedulerName : 'default-scheduler') in {(has(oldSelf.spec.podSpec.schedulerName) && oldSelf.spec.podSpec.schedulerName.size() > 0 ? oldSelf.spec.podSpec.schedulerName : 'default-scheduler'): 0}`,messageExpression=`'podSpec.schedulerName of clique "%s" is immutable: it was "%s"'.format([self.name, (has(oldSelf.spec.podSpec.schedulerName) && oldSelf.spec.podSpec.schedulerName.size() > 0 ? oldSelf.spec.podSpec.schedulerName : 'default-scheduler')])`
type PodCliqueTemplateSpec struct {
	// name identifies the clique within the set: a DNS label. Outside of a scaling group it can't be the name of a clique
	// inside one, "-" and a number below 10000. Immutable.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`
	// labels are put on the PodClique and its pods, 64 at most. Grove's own keys win.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule=`self.all(k, k.size() <= 317 && k.matches('^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))`,messageExpression=`'not the key of a label: %s'.format([self.map(k, k.size() > 317 || !k.matches('^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'), k)])`
	// +kubebuilder:validation:XValidation:rule=`self.all(k, self[k].size() <= 63)`,messageExpression=`'values of labels may have 63 characters: too long %s'.format([self.map(k, self[k].size() > 63, k)])`
	Labels map[string]string `json:"labels,omitempty"`
	// annotations are put on the PodClique and its pods, 64 at most. Grove's own keys win.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule=`self.all(k, k.size() <= 317 && k.matches('^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))`,messageExpression=`'not the key of an annotation: %s'.format([self.map(k, k.size() > 317 || !k.matches('^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'), k)])`
	Annotations map[string]string `json:"annotations,omitempty"`
	// spec describes the clique's pods.
	// +required
	Spec PodCliqueSpec `json:"spec"`
}

// AutoScalingConfig configures a HorizontalPodAutoscaler, which has the name of what it scales. From then on replicas are the
// autoscaler's: those of the template apply at creation only. Once the configuration is removed, replicas stay as they are until
// the template says another number.
//
// +kubebuilder:validation:XValidation:fieldPath=`.minReplicas`,rule=`!has(self.minReplicas) || self.minReplicas != 0 || has(self.metrics) && self.metrics.exists(m, has(m.object) || has(m.external))`,message="0 needs a metric of type Object or External: of what is off nothing else can be measured"
// +kubebuilder:validation:XValidation:fieldPath=`.maxReplicas`,rule=`!has(self.minReplicas) || self.minReplicas <= self.maxReplicas`,messageExpression=`'%d is below minReplicas, which is %d'.format([self.maxReplicas, self.minReplicas])`
type AutoScalingConfig struct {
	// minReplicas is the floor. Default 1. One below minAvailable is raised to that, and the set's condition
	// AutoscalingFloorRaised says so. 0 lets the autoscaler turn its target off, where the cluster allows that (HPAScaleToZero);
	// a metric has to be of type Object or External then.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=9999
	MinReplicas *int32 `json:"minReplicas,omitempty"`
	// maxReplicas is the ceiling, at least minReplicas and minAvailable.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=9999
	MaxReplicas int32 `json:"maxReplicas"`
	// metrics are what is measured, as in a HorizontalPodAutoscaler, which has a default where none are given: 80% of the CPU that
	// pods request. At most 16.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Metrics []autoscalingv2.MetricSpec `json:"metrics,omitempty"`
	// behavior says how fast replicas go up and down, as in a HorizontalPodAutoscaler, which has defaults for what isn't given.
	// +optional
	Behavior *autoscalingv2.HorizontalPodAutoscalerBehavior `json:"behavior,omitempty"`
}

// PodCliqueScalingGroupConfig describes a group of cliques that scale together.
//
// +kubebuilder:validation:XValidation:fieldPath=`.replicas`,rule=`!has(self.minAvailable) || self.replicas < 1 || self.replicas >= self.minAvailable`,messageExpression=`'%d is below the floor, minAvailable, which is %d; only 0, which turns the scaling group off, is allowed below it'.format([self.replicas, self.minAvailable])`
// +kubebuilder:validation:XValidation:fieldPath=`.scaleConfig.maxReplicas`,rule=`!has(self.scaleConfig) || self.scaleConfig.maxReplicas >= self.minAvailable`,messageExpression=`'%d is below minAvailable of scaling group "%s", which is %d'.format([self.scaleConfig.maxReplicas, self.name, self.minAvailable])`
// +kubebuilder:validation:XValidation:fieldPath=`.cliqueNames`,reason=FieldValueForbidden,rule=`sets.equivalent(self.cliqueNames, oldSelf.cliqueNames)`,messageExpression=`'cliqueNames of scaling group "%s" are immutable: they were %s'.format([self.name, oldSelf.cliqueNames])`
// +kubebuilder:validation:XValidation:fieldPath=`.minAvailable`,reason=FieldValueForbidden,rule=`self.minAvailable == oldSelf.minAvailable`,messageExpression=`'minAvailable of scaling group "%s" is immutable: it was %d'.format([self.name, oldSelf.minAvailable])`
type PodCliqueScalingGroupConfig struct {
	// name identifies the group within the set: a DNS label. It can't be the name of a clique, "-" and a number below 10000.
	// Immutable.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name                      string `json:"name"`
	PodCliqueScalingGroupSpec `json:",inline"`
}

// PodCliqueSetPhase sums up a PodCliqueSet in one word.
//
// +kubebuilder:validation:Enum=Creating;Scheduling;Available;Updating;Degraded;Failed;Completed
type PodCliqueSetPhase string

const (
	// PodCliqueSetCreating: not every child exists yet.
	PodCliqueSetCreating PodCliqueSetPhase = "Creating"
	// PodCliqueSetScheduling: every child exists; some replica is not available yet.
	PodCliqueSetScheduling PodCliqueSetPhase = "Scheduling"
	// PodCliqueSetAvailable: every replica is available.
	PodCliqueSetAvailable PodCliqueSetPhase = "Available"
	// PodCliqueSetUpdating: a rolling update is under way.
	PodCliqueSetUpdating PodCliqueSetPhase = "Updating"
	// PodCliqueSetDegraded: a replica that was available is below its minimum, or was terminated and isn't back.
	PodCliqueSetDegraded PodCliqueSetPhase = "Degraded"
	// PodCliqueSetFailed: a replica whose pods were replaced has not come back within terminationDelay.
	PodCliqueSetFailed PodCliqueSetPhase = "Failed"
	// PodCliqueSetCompleted: every replica has run to its end.
	PodCliqueSetCompleted PodCliqueSetPhase = "Completed"
)

// PodCliqueSetStatus is what Grove observed last.
type PodCliqueSetStatus struct {
	// observedGeneration is the metadata.generation that this status describes. A new one is described once all children
	// follow it.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// replicas is the number of PodGangs that exist.
	// +optional
	Replicas int32 `json:"replicas"`
	// updatedReplicas is the number of replicas all of whose pods are of the current podSpecs.
	// +optional
	UpdatedReplicas int32 `json:"updatedReplicas"`
	// availableReplicas is the number of replicas whose pods are scheduled and ready as far as their minimum asks.
	// +optional
	AvailableReplicas int32 `json:"availableReplicas"`
	// selector matches one pod of each replica, for the scale subresource. It is one that no autoscaler of a part of the set counts;
	// where there is none, as in a set of one clique that is autoscaled, it matches nothing.
	// +optional
	Selector string `json:"selector,omitempty"`
	// currentGenerationHash is the hash of the current podSpecs.
	// +optional
	CurrentGenerationHash string `json:"currentGenerationHash,omitempty"`
	// phase sums up the set in one word.
	// +optional
	Phase PodCliqueSetPhase `json:"phase,omitempty"`
	// conditions are Available, Ready (the same), Degraded, Progressing, Complete and ResourcesApplied, AutoscalingFloorRaised where a
	// floor is raised, and ScaledGroupsScheduled where scaled groups wait for nodes.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// podGangStatuses has an entry for each PodGang, in the order of the replicas.
	// +optional
	// +listType=atomic
	PodGangStatuses []PodGangSummary `json:"podGangStatuses,omitempty"`
	// rollingUpdateProgress is the current update or, once it has ended, the last.
	// +optional
	RollingUpdateProgress *PodCliqueSetRollingUpdateProgress `json:"rollingUpdateProgress,omitempty"`
}

// PodGangSummary is the state of one replica.
type PodGangSummary struct {
	// name is the name of the PodGang.
	// +required
	Name string `json:"name"`
	// phase is the phase of the PodGang.
	// +optional
	Phase PodGangPhase `json:"phase,omitempty"`
	// available tells whether the replica is available.
	// +optional
	Available bool `json:"available,omitempty"`
	// firstAvailableTime is when the replica was first seen available.
	// +optional
	FirstAvailableTime *metav1.Time `json:"firstAvailableTime,omitempty"`
	// waitingSince is since when the replica waits to be available: since it was created, fell below its minimum or was terminated.
	// +optional
	WaitingSince *metav1.Time `json:"waitingSince,omitempty"`
	// restarts is how often the replica was terminated, that is all of its pods replaced together.
	// +optional
	Restarts int32 `json:"restarts,omitempty"`
}

// PodCliqueSetRollingUpdateProgress is how far a rolling update has come.
type PodCliqueSetRollingUpdateProgress struct {
	// updateStartedAt is when the update began.
	// +optional
	UpdateStartedAt *metav1.Time `json:"updateStartedAt,omitempty"`
	// updateEndedAt is when the last replica was up to date.
	// +optional
	UpdateEndedAt *metav1.Time `json:"updateEndedAt,omitempty"`
	// lastProgressTime is when the update last got something done. At it and the progressDeadline, the update stops.
	// +optional
	LastProgressTime *metav1.Time `json:"lastProgressTime,omitempty"`
	// updatedPodCliqueScalingGroups are the scaling groups that are done in every replica.
	// +optional
	// +listType=set
	UpdatedPodCliqueScalingGroups []string `json:"updatedPodCliqueScalingGroups,omitempty"`
	// updatedPodCliques are the standalone cliques that are done in every replica.
	// +optional
	// +listType=set
	UpdatedPodCliques []string `json:"updatedPodCliques,omitempty"`
	// currentlyUpdating is what is being replaced now.
	// +optional
	CurrentlyUpdating *CurrentlyUpdating `json:"currentlyUpdating,omitempty"`
}

// CurrentlyUpdating is what a rolling update is replacing.
type CurrentlyUpdating struct {
	// podCliqueScalingGroupName is the scaling group, where one is being updated.
	// +optional
	PodCliqueScalingGroupName string `json:"podCliqueScalingGroupName,omitempty"`
	// podCliqueName is the clique.
	// +optional
	PodCliqueName string `json:"podCliqueName,omitempty"`
	// replicaIndex is the index of the replica of the set.
	// +required
	ReplicaIndex int32 `json:"replicaIndex"`
}
