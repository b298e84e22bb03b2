// Package plan is the ground on which planners decide what Grove does. Planners are pure functions: from objects as they were observed, and
// the time, they compute the children that shall exist, the statuses that describe them, and what to tell the user. Nothing in it, nor in the
// planners below it, one for each controller, reads a cache, calls an API server, looks at a clock or logs. A planner knows this package, and
// no other planner.
//
// Words used here. A replica is one of the set's spec.replicas, with index i. A group replica is one of a scaling group's spec.replicas, with
// index g. A pod group is the pods of one clique in one replica or, for a member of a scaling group, in one group replica. A unit is what is
// placed all or nothing: the base, which is the first pods of each pod group that a replica can't do without, or a scaled one, which is a group
// replica beyond its scaling group's minimum. Surplus are pods above their clique's minAvailable, which are in no unit. A group in the
// scheduler is what its PodGroups are, by whatever name and kind.
//
// Who decides what:
//
//	which children there are, and what their specs say     podcliqueset
//	which pods exist, come back, and when                   podclique
//	what the scheduler is told, and whether a unit is up    podgang
//	when a unit is terminated, and a group recreated        podgang
//	which replica takes a changed podSpec, and when         podcliqueset
//	which pods an update replaces now                       podgang
//	how many group replicas are available                   scalinggroup
//	how long a status waits                                 nobody here: planners say how urgent it is
package plan
