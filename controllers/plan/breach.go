package plan

import (
	"fmt"
	"slices"
	"time"

	"grove.io/grove/apis/grove/v1alpha1"
)

// BreachOf says what a unit that is below its minimum lacks, since when, and what happens next and when; nothing of one that isn't in breach.
func BreachOf(set *v1alpha1.PodCliqueSet, gang *v1alpha1.PodGang, unit string) string {
	record := UnitRecord(gang, unit)
	if record.BreachedSince == nil {
		return ""
	}
	units := UnitsOf(gang)
	at := slices.IndexFunc(units, func(u Unit) bool { return u.Name == unit })
	if at < 0 {
		return ""
	}
	missed, pods := units[at].WithoutAwaited(), "1 more pod is"
	if lacking := missed.lacking(Available); lacking != 1 {
		pods = fmt.Sprintf("%d more pods are", lacking)
	}
	return fmt.Sprintf("%s, since %s; gang unit %s is terminated, and placed anew, at %s unless %s available by then",
		missed.Missing(Available), clock(record.BreachedSince.Time), unit, clock(record.BreachedSince.Add(TemplateOf(set).TerminationDelay())), pods)
}

// TerminationOf says since when a unit that was terminated isn't back; nothing of one that is.
func TerminationOf(gang *v1alpha1.PodGang, unit string) string {
	record := UnitRecord(gang, unit)
	if record.TerminatedAt == nil || record.AvailableSince != nil {
		return ""
	}
	return fmt.Sprintf("gang unit %s was terminated at %s and isn't ready again: its pods are placed together once there is room for all", unit, clock(record.TerminatedAt.Time))
}

// UnitRecord is the record of a gang's unit; an empty one if there is none.
func UnitRecord(gang *v1alpha1.PodGang, unit string) v1alpha1.UnitStatus {
	for _, record := range gang.Status.Units {
		if record.Name == unit {
			return record
		}
	}
	return v1alpha1.UnitStatus{Name: unit}
}

// UnitRecords are the records of all of a gang's units, by their names: for those who look at many, of thousands at most.
func UnitRecords(gang *v1alpha1.PodGang) map[string]v1alpha1.UnitStatus {
	records := make(map[string]v1alpha1.UnitStatus, len(gang.Status.Units))
	for _, record := range gang.Status.Units {
		records[record.Name] = record
	}
	return records
}

// clock is a time as people read it.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// lacking is how many pods of a sort a unit needs more.
func (u Unit) lacking(sort Sort) int32 {
	var lacking int32
	for _, group := range u.PodGroups {
		lacking += max(0, group.MinReplicas-sort.Count(group.Counts))
	}
	return lacking
}
