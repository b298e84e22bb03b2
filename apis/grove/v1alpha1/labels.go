package v1alpha1

// Labels that Grove sets on what it creates. Indexes are decimal numbers counted from 0.
const (
	// LabelManagedBy is on every child and pod, with the value ManagedBy.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// LabelPodCliqueSet is on every child and pod: the name of the PodCliqueSet.
	LabelPodCliqueSet = "grove.io/podcliqueset"
	// LabelPodGang is on what belongs to one replica of the set: the name of the replica's PodGang.
	LabelPodGang = "grove.io/podgang"
	// LabelPodClique is on PodCliques and their pods: the name of the PodClique.
	LabelPodClique = "grove.io/podclique"
	// LabelRole is on PodCliques and pods: the clique's roleName, or its name in the template.
	LabelRole = "grove.io/role"
	// LabelPodCliqueScalingGroup is on PodCliqueScalingGroups, member PodCliques and their pods: the name of the PodCliqueScalingGroup.
	LabelPodCliqueScalingGroup = "grove.io/podcliquescalinggroup"
	// LabelReplicaIndex is on what belongs to one replica of the set: the index of the replica.
	LabelReplicaIndex = "grove.io/replica-index"
	// LabelGroupReplicaIndex is on pods of member cliques: the index of the replica of their scaling group.
	LabelGroupReplicaIndex = "grove.io/group-replica-index"
	// LabelPodIndex is on pods: the index within the slice, that is within the PodClique or, for members of a scaling
	// group, within the PodClique's share of one group replica.
	LabelPodIndex = "grove.io/pod-index"
	// LabelPodTemplateHash is on PodCliques and pods: the hash of the podSpec that they were made from.
	LabelPodTemplateHash = "grove.io/pod-template-hash"
	// LabelRestarts is on pods that were created after their unit was terminated or their slice recreated: how often that had
	// happened. Pods with less than today's number go.
	LabelRestarts = "grove.io/restarts"

	// LabelGangUnit is on the pods of sets with pack groups: the name of the unit that the pod is in or, as surplus, adds to. That
	// is the PodGang for its base unit, or one of its scaledGroups.
	LabelGangUnit = "grove.io/gang-unit"
	// LabelReplicaLead is on the first pod of each replica of a set, with the value ReplicaLead. Where replicas are spread, the
	// others follow it.
	LabelReplicaLead = "grove.io/replica-lead"

	// LabelAutoscaledBy is on one pod of each replica of a set, with the name of the set: what scales the set counts it. It is a pod
	// that isn't counted for a part of the set which is autoscaled, as no pod may be counted twice.
	LabelAutoscaledBy = "grove.io/autoscaled-by"

	// ReplicaLead is the value of LabelReplicaLead.
	ReplicaLead = "true"
	// ManagedBy is the value of LabelManagedBy.
	ManagedBy = "grove"
)

// Annotations that Grove sets on what it creates.
const (
	// AnnotationTemplateReplicas is on PodCliques and PodCliqueScalingGroups: the template's replicas when Grove last
	// applied them, or left them to an autoscaler, by which it tells a changed template from an object that somebody scaled.
	AnnotationTemplateReplicas = "grove.io/template-replicas"
	// AnnotationTemplateMetadata is on pods: a hash of the labels and annotations that the template gave them, by which Grove sees that
	// one has left the template and has to go.
	AnnotationTemplateMetadata = "grove.io/template-metadata"
	// AnnotationFailures is on pods that replace failed ones: how many of their predecessors failed in a row.
	AnnotationFailures = "grove.io/failures"
	// AnnotationPullSecrets is on ServiceAccounts: the imagePullSecrets that Grove took from the namespace's default account, divided
	// by commas. Others that the account has stay.
	AnnotationPullSecrets = "grove.io/image-pull-secrets"
)

// AnnotationRestartedAt on a PodCliqueSet, or in the annotations of a clique, is part of what makes Grove replace pods, with any value: a new
// one replaces those of the set, or of the clique, as a changed podSpec does. It is the idea of kubectl rollout restart.
const AnnotationRestartedAt = "grove.io/restartedAt"

// AnnotationDisableProtection on a PodCliqueSet, with any value but "false", lets users edit by hand what is made from the set, where
// the admission policy of deploy/protection refuses that. What is Grove's is put back all the same.
const AnnotationDisableProtection = "grove.io/disable-managed-resource-protection"

// Environment variables that Grove sets in every container, ahead of the user's own, which may therefore refer to them: $(GROVE_PCS_NAME). One
// that a container defines itself is left to it. Those that an operator has learnt since a pod was made come with the pod's successor:
// they are no reason to replace it.
const (
	// EnvPodCliqueSetName is the name of the PodCliqueSet.
	EnvPodCliqueSetName = "GROVE_PCS_NAME"
	// EnvPodCliqueSetIndex is the index of the replica of the set.
	EnvPodCliqueSetIndex = "GROVE_PCS_INDEX"
	// EnvPodCliqueName is the name of the PodClique.
	EnvPodCliqueName = "GROVE_PCLQ_NAME"
	// EnvPodIndex is the index of the pod within its slice, as in LabelPodIndex.
	EnvPodIndex = "GROVE_PCLQ_POD_INDEX"
	// EnvHeadlessService is the DNS name of the headless service, up to and including "svc": a pod is reached at
	// its own name, a dot and this.
	EnvHeadlessService = "GROVE_HEADLESS_SERVICE"
	// EnvPodAddress is the pod's own DNS name, up to and including "svc". Like every name of the headless service it resolves unless
	// headlessServiceConfig.enabled is false, and by default before the pod is ready, too.
	EnvPodAddress = "GROVE_POD_ADDRESS"
	// EnvLeaderAddress is the DNS name of the leader of the pod's group replica, up to and including "svc", in the leader too; for members of
	// a scaling group only. The leader is the first pod of that member clique which comes first in the template. It is the same for the whole
	// life of a set, whatever is scaled or autoscaled, so that all pods of a group replica agree on it; while that clique is turned off, no
	// pod has the name.
	EnvLeaderAddress = "GROVE_LEADER_ADDRESS"
	// EnvScalingGroupName is the name of the PodCliqueScalingGroup; for members of one only.
	EnvScalingGroupName = "GROVE_PCSG_NAME"
	// EnvScalingGroupIndex is the index of the replica of the scaling group; for members of one only.
	EnvScalingGroupIndex = "GROVE_PCSG_INDEX"
	// EnvScalingGroupNumPods is the number of pods that the template gives one replica of the scaling group, over all
	// its cliques; for members of one only.
	EnvScalingGroupNumPods = "GROVE_PCSG_TEMPLATE_NUM_PODS"
	// EnvScalingGroupPodIndex is the rank of the pod among those of its group replica, cliques in the order of the
	// template; for members of a scaling group only.
	EnvScalingGroupPodIndex = "GROVE_PCSG_POD_INDEX"
)
