package podgang

import (
	"fmt"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// News are what became of a PodGang's units from one status to the next. A breach is none before it has lasted for a moment, and neither is
// the end of one that didn't.
func News(set *v1alpha1.PodCliqueSet, podGang *v1alpha1.PodGang, before, after *v1alpha1.PodGangStatus) []plan.News {
	was, is := *podGang, *podGang
	was.Status, is.Status = *before, *after
	var news []plan.News
	records := plan.UnitRecords(&was)
	for _, record := range after.Units {
		earlier := records[record.Name]
		part, up := fmt.Sprintf("status.units[%s]", record.Name), record.AvailableSince != nil && record.BreachedSince == nil
		switch {
		case terminated(earlier, record):
			news = append(news, plan.News{Reason: v1alpha1.ReasonGangTerminated, Part: part, Bad: true, Message: fmt.Sprintf(
				"gang unit %s was below its minimum for %s: its pods are deleted and placed anew together", record.Name, plan.TemplateOf(set).TerminationDelay())})
		case record.BreachReported && !earlier.BreachReported:
			news = append(news, plan.News{Reason: v1alpha1.ReasonMinAvailableBreached, Part: part, Message: plan.BreachOf(set, &is, record.Name), Bad: true})
		case up && (earlier.BreachReported || earlier.AvailableSince == nil && earlier.TerminatedAt != nil):
			news = append(news, plan.News{Reason: v1alpha1.ReasonRecovered, Part: part, Message: fmt.Sprintf("gang unit %s has its minimum of pods again", record.Name)})
		}
	}
	for _, podGroup := range recreations(before, after) {
		news = append(news, plan.News{Reason: v1alpha1.ReasonGangRestarted, Part: fmt.Sprintf("status.podGroups[%s]", podGroup.Name), Bad: true, Message: fmt.Sprintf(
			"a container restarted or a pod was lost, and by the restartPolicy all pods of %s are recreated together", podGroup.Name)})
	}
	return news
}
