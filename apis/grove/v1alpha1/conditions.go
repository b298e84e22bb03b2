package v1alpha1

// Conditions of a PodCliqueSet.
const (
	// ConditionAvailable of a PodCliqueSet is True while every replica is available.
	ConditionAvailable = "Available"
	// ConditionReady of a PodCliqueSet is the same as ConditionAvailable, for tools that know only this one. That of a PodGang is True
	// while every pod group of its base unit has its minimum of pods that are ready or have succeeded.
	ConditionReady = "Ready"
	// ConditionComplete of a PodCliqueSet is True once every replica has run to its end.
	ConditionComplete = "Complete"
	// ConditionProgressing of a PodCliqueSet is True while Grove is bringing it to what its spec says.
	ConditionProgressing = "Progressing"
	// ConditionDegraded of a PodCliqueSet is True while a replica that was available is below its minimum, or was terminated and isn't
	// back. The message says what is missing since when, and what happens next and when.
	ConditionDegraded = "Degraded"
	// ConditionResourcesApplied of a PodCliqueSet or PodClique is False while a child of it can't be
	// created or changed, for a reason that only a user can remove; the message names the child and the next step. It is Unknown
	// until every child was applied once. A PodGang has it while a pod can't be changed where it is.
	ConditionResourcesApplied = "ResourcesApplied"
	// ConditionAutoscalingFloorRaised of a PodCliqueSet is True while an autoscaling configuration asks for a minReplicas below
	// minAvailable: its autoscaler goes down to minAvailable and no further. Otherwise a set hasn't this condition.
	ConditionAutoscalingFloorRaised = "AutoscalingFloorRaised"
)

// Conditions of a PodClique and of a PodCliqueScalingGroup.
const (
	// ConditionPodCliqueScheduled of a PodClique is True while at least minAvailable pods of each slice that counts
	// are scheduled.
	ConditionPodCliqueScheduled = "PodCliqueScheduled"
	// ConditionMinAvailableBreached is False while at least minAvailable is there: pods of a PodClique, group
	// replicas of a PodCliqueScalingGroup. A pod that is still starting is no breach. It is Unknown during an update.
	ConditionMinAvailableBreached = "MinAvailableBreached"
)

// Conditions of a PodGang.
const (
	// ConditionScheduled of a PodGang is True when every pod that its base unit needs has been bound to a node.
	ConditionScheduled = "Scheduled"
	// ConditionScaledGroupsScheduled of a PodGang is True when every scaled group has all pods bound to nodes that it needs. A PodGang
	// without scaled groups hasn't this condition. A PodCliqueSet has it while it is False of a PodGang whose base unit is scheduled, as after a
	// scale-out that doesn't fit.
	ConditionScaledGroupsScheduled = "ScaledGroupsScheduled"
	// ConditionGangScheduling of a PodGang is True while the cluster's scheduler places each of its units all or nothing.
	ConditionGangScheduling = "GangScheduling"
)

// Reasons of conditions.
const (
	// ReasonApplied: every child is as the spec says.
	ReasonApplied = "Applied"
	// ReasonApplying: not all children were applied yet.
	ReasonApplying = "Applying"
	// ReasonNameConflict: an object that something else controls has the name of a child.
	ReasonNameConflict = "NameConflict"
	// ReasonInvalidChild: the API server refuses a child that follows from the spec.
	ReasonInvalidChild = "InvalidChild"
	// ReasonForbiddenChild: the API server doesn't allow a child, because of a quota, an admission policy or missing permissions.
	ReasonForbiddenChild = "ForbiddenChild"
	// ReasonTooManyPods: somebody scaled to more pods than one replica of a set may have.
	ReasonTooManyPods = "TooManyPods"
	// ReasonTooLarge: an object would be larger than etcd takes.
	ReasonTooLarge = "TooLarge"
	// ReasonResizeDeferred: a pod's node has no room for the requests that it was given where it is, or not yet.
	ReasonResizeDeferred = "ResizeDeferred"
	// ReasonSucceeded: every pod has run to its end.
	ReasonSucceeded = "Succeeded"
	// ReasonRunning: a replica of the set hasn't run to its end.
	ReasonRunning = "Running"
	// ReasonAllReplicasAvailable: every replica of the set is available.
	ReasonAllReplicasAvailable = "AllReplicasAvailable"
	// ReasonReplicasUnavailable: a replica of the set is not available, or not yet.
	ReasonReplicasUnavailable = "ReplicasUnavailable"
	// ReasonChildrenMissing: not every child exists yet.
	ReasonChildrenMissing = "ChildrenMissing"
	// ReasonSufficientPods: at least minAvailable pods of each slice count.
	ReasonSufficientPods = "SufficientPods"
	// ReasonInsufficientPods: a slice has fewer than minAvailable pods that count.
	ReasonInsufficientPods = "InsufficientPods"
	// ReasonUnschedulable: the scheduler can't place a gang unit, for the reason in the message.
	ReasonUnschedulable = "Unschedulable"
	// ReasonSchedulingGated: a scheduling gate that a user put on a pod holds back its gang unit.
	ReasonSchedulingGated = "SchedulingGated"
	// ReasonSufficientReplicas: in each replica of the set, at least minAvailable group replicas are available.
	ReasonSufficientReplicas = "SufficientReplicas"
	// ReasonInsufficientReplicas: in a replica of the set, fewer than minAvailable group replicas are available.
	ReasonInsufficientReplicas = "InsufficientReplicas"
	// ReasonEnforced: the scheduler places gangs all or nothing, and sees to all that the set requires of their places.
	ReasonEnforced = "Enforced"
	// ReasonTopologyWeakened: the scheduler places gangs all or nothing; a topology that the set requires is left to each pod.
	ReasonTopologyWeakened = "TopologyWeakened"
	// ReasonNotServed: the API server doesn't serve the scheduler's PodGroups.
	ReasonNotServed = "NotServed"
	// ReasonDisabled: the operator was told to use no gang scheduling.
	ReasonDisabled = "Disabled"
	// ReasonUnknownScheduler: the podSpecs name a scheduler that isn't known to place gangs.
	ReasonUnknownScheduler = "UnknownScheduler"
	// ReasonNameTaken: an object that is terminating or isn't Grove's has the name of a unit's group in the scheduler.
	ReasonNameTaken = "NameTaken"
	// ReasonSchedulingGroupMissing: a pod doesn't name its group, so that it is scheduled by itself.
	ReasonSchedulingGroupMissing = "SchedulingGroupMissing"
	// ReasonMinAvailableBreached: a replica that was available has fewer pods than its minimum.
	ReasonMinAvailableBreached = "MinAvailableBreached"
	// ReasonGangTerminated: a gang unit was below its minimum for the whole terminationDelay, and all its pods are replaced.
	ReasonGangTerminated = "GangTerminated"
	// ReasonGangRestarted: a container restarted or a pod was lost, and by the restartPolicy its peers are recreated with it.
	ReasonGangRestarted = "GangRestarted"
	// ReasonRecovered: what was below its minimum has it again.
	ReasonRecovered = "Recovered"
	// ReasonUpdating: an update replaces pods of an older podSpec.
	ReasonUpdating = "Updating"
	// ReasonUpdateStarted: the template has changed, or pods are of an older one, and an update begins. Of events only.
	ReasonUpdateStarted = "UpdateStarted"
	// ReasonUpdateEnded: every replica that an update shall reach is of today's podSpecs. Of events only.
	ReasonUpdateEnded = "UpdateEnded"
	// ReasonPaused: an update is paused.
	ReasonPaused = "Paused"
	// ReasonProgressDeadlineExceeded: an update got nothing done for the progressDeadline, and goes no further.
	ReasonProgressDeadlineExceeded = "ProgressDeadlineExceeded"
	// ReasonNodeLost: pods were deleted without their node, which is gone, out of service or silent for too long. Of events only.
	ReasonNodeLost = "NodeLost"
	// ReasonBelowMinAvailable: a number that was asked for is below minAvailable.
	ReasonBelowMinAvailable = "BelowMinAvailable"
	// ReasonTurnedOff: replicas is 0, so there is nothing to wait for.
	ReasonTurnedOff = "TurnedOff"
)
