package podgang

import (
	"fmt"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// News are what became of a PodGang's units from one status to the next.
func News(set *v1alpha1.PodCliqueSet, podGang *v1alpha1.PodGang, before, after *v1alpha1.PodGangStatus) []plan.News {
	was, is := *podGang, *podGang
	was.Status, is.Status = *before, *after
	var news []plan.News
	ended, breached := Ended(before, after)
	for _, record := range breached {
		news = append(news, plan.News{Reason: v1alpha1.ReasonMinAvailableBreached, Message: plan.BreachOf(set, &is, record.Name), Bad: true})
	}
	for _, record := range ended {
		news = append(news, plan.News{Reason: v1alpha1.ReasonGangTerminated, Bad: true, Message: fmt.Sprintf(
			"gang unit %s was below its minimum for %s: its pods are deleted and placed anew together", record.Name, plan.TemplateOf(set).TerminationDelay())})
	}
	for _, podGroup := range recreations(before, after) {
		news = append(news, plan.News{Reason: v1alpha1.ReasonGangRestarted, Bad: true, Message: fmt.Sprintf(
			"a container restarted or a pod was lost, and by the restartPolicy all pods of %s are recreated together", podGroup.Name)})
	}
	for _, record := range after.Units {
		if earlier := plan.UnitRecord(&was, record.Name); record.AvailableSince != nil && record.BreachedSince == nil &&
			(earlier.BreachedSince != nil || earlier.AvailableSince == nil && earlier.TerminatedAt != nil) {
			news = append(news, plan.News{Reason: v1alpha1.ReasonRecovered, Message: fmt.Sprintf("gang unit %s has its minimum of pods again", record.Name)})
		}
	}
	return news
}
