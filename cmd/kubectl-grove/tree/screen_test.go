package tree_test

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"time"

	"grove.io/grove/cmd/kubectl-grove/tree"
	"grove.io/grove/cmd/kubectl-grove/view"
	"grove.io/grove/controllers/plan/plantest"
)

func viewOf(state plantest.State) *view.View {
	w := plantest.NewWorld(plantest.Workers(), state)
	w.Settle()
	v := &view.View{Set: w.Object}
	for _, clique := range w.Cliques {
		v.Cliques = append(v.Cliques, clique.Object)
		v.Pods = append(v.Pods, clique.Pods...)
	}
	for _, gang := range w.PodGangs {
		v.Gangs = append(v.Gangs, gang)
	}
	for _, group := range w.ScalingGroups {
		v.Groups = append(v.Groups, group)
	}
	return view.New(v.Set, v.Gangs, v.Groups, v.Cliques, v.Pods)
}

// Where there is no terminal, a change is a line, and what hasn't changed is none.
func TestScreenAppends(t *testing.T) {
	var out bytes.Buffer
	screen := &tree.Screen{Out: &out, Paint: tree.Plain}
	for n, v := range []*view.View{viewOf(plantest.Pending), viewOf(plantest.Pending), viewOf(plantest.Ready)} {
		screen.Show([]*view.View{v}, plantest.Now.Add(time.Duration(n)*time.Second))
	}
	want := `  0.0s  PodCliqueSet train: Scheduling, 0 of 2 replicas available; 2 PodGangs, 6 PodCliques, 1 PodCliqueScalingGroups; 14 pods, 0 of 14 ready
  2.0s  PodCliqueSet train: Available, 2 of 2 replicas available; 2 PodGangs, 6 PodCliques, 1 PodCliqueScalingGroups; 14 pods, 14 of 14 ready
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

// On a terminal a tree is drawn over the one before.
func TestScreenRedraws(t *testing.T) {
	var out bytes.Buffer
	screen := &tree.Screen{Out: &out, Live: true, Paint: tree.Plain}
	screen.Show([]*view.View{viewOf(plantest.Pending)}, plantest.Now)
	lines := strings.Count(out.String(), "\n")
	out.Reset()
	screen.Show([]*view.View{viewOf(plantest.Ready)}, plantest.Now)
	if up := "\x1b[" + strconv.Itoa(lines) + "A\x1b[J"; !strings.HasPrefix(out.String(), up) {
		t.Errorf("%q doesn't begin with %q", out.String()[:20], up)
	}
}

func TestReady(t *testing.T) {
	if viewOf(plantest.Pending).Ready() || !viewOf(plantest.Ready).Ready() {
		t.Error("a set is ready once all of its pods are, and not before")
	}
}
