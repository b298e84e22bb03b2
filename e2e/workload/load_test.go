package main

import (
	"net/http/httptest"
	"testing"
)

func TestLoadsAreShared(t *testing.T) {
	var s shares
	ask := func(url string) string {
		answer := httptest.NewRecorder()
		s.give(answer, httptest.NewRequest("GET", url, nil))
		return answer.Body.String()
	}
	set := func(url string) int {
		answer := httptest.NewRecorder()
		s.set(answer, httptest.NewRequest("GET", url, nil))
		return answer.Code
	}
	if code := set("/load?of=a&milli=90"); code != 200 {
		t.Errorf("setting a load: %d", code)
	}
	if code := set("/load?of=a&milli=much"); code != 400 {
		t.Errorf("setting a load that is no number: %d", code)
	}
	for _, step := range []struct{ url, want string }{
		{"/share?of=a&by=x", "90"},
		{"/share?of=a&by=x", "90"},
		{"/share?of=a&by=y", "45"},
		{"/share?of=a&by=x", "45"},
		{"/share?of=b&by=x", "0"},
	} {
		if got := ask(step.url); got != step.want {
			t.Errorf("%s: %s, want %s", step.url, got, step.want)
		}
	}
}
