package podgang

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/component-base/metrics/legacyregistry"

	"grove.io/grove/controllers/plan/podgang"
)

// served are the values of the metrics of gangs, but for those that are 0, by name and unit. Of histograms it is the sum.
func served(t *testing.T) map[string]float64 {
	t.Helper()
	families, err := legacyregistry.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		name := strings.TrimPrefix(family.GetName(), "grove_")
		if !strings.HasPrefix(name, "podgang_") && !strings.HasPrefix(name, "gang_unit_") && !strings.HasPrefix(name, "pod_group_") {
			continue
		}
		for _, one := range family.GetMetric() {
			for _, label := range one.GetLabel() {
				name += " " + label.GetValue()
			}
			if value := one.GetCounter().GetValue() + one.GetHistogram().GetSampleSum(); value != 0 {
				values[name] = value
			}
			name, _, _ = strings.Cut(name, " ")
		}
	}
	return values
}

func TestTalliesAreCounted(t *testing.T) {
	count(podgang.Tally{}, time.Hour)
	if values := served(t); len(values) > 0 {
		t.Errorf("nothing happened, counted %v", values)
	}
	count(podgang.Tally{Scheduled: true, Breached: []bool{true, false, false}, Terminated: []bool{true}}, time.Minute)
	count(podgang.Tally{Ready: true, Terminated: []bool{false}, Restarted: []bool{true, true, true, false}}, time.Hour)
	want := map[string]float64{
		"podgang_time_to_scheduled_seconds": 60, "podgang_time_to_ready_seconds": 3600,
		"gang_unit_breaches_total base": 1, "gang_unit_breaches_total scaled": 2,
		"gang_unit_terminations_total base": 1, "gang_unit_terminations_total scaled": 1,
		"pod_group_restarts_total base": 3, "pod_group_restarts_total scaled": 1,
	}
	if diff := cmp.Diff(want, served(t)); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}
