package cases

import (
	"fmt"
	"os"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/e2e-framework/pkg/features"
	e2etypes "sigs.k8s.io/e2e-framework/pkg/types"
	"sigs.k8s.io/yaml"

	"grove.io/grove/apis/grove/v1alpha1"
)

// UpdateCommands checks the commands of docs/updates.md, which are in a file, as they are printed there.
func UpdateCommands(file string) e2etypes.Feature {
	docs := printed{file: file}
	var before map[string]types.UID
	return features.New("commands of "+file).
		Assess("look on", step(func(s *scope) {
			s.run(strings.ReplaceAll(docs.block(s, "Looking on", 0), " -w ", " "), "web.yaml", newWeb("1"))
			s.waitForPods("web", rollingPods(2))
			s.waitUntilAvailable("web")
			s.roll("web", "2")
			s.waitUntilUpdated("web")
			out := s.run(strings.ReplaceAll(docs.block(s, "Looking on", 0), " -w ", " "), "web.yaml", newWeb("2"))
			for _, want := range []string{"web-front-1", "updateEndedAt", "updating replica 1: recreating"} {
				if !strings.Contains(out, want) {
					s.Errorf("%q isn't in\n%s", want, out)
				}
			}
		})).
		Assess("pause, and try on one replica", step(func(s *scope) {
			lines := strings.Split(strings.TrimSpace(docs.block(s, "Pausing, and trying on one replica", 0)), "\n")
			for i, want := range []v1alpha1.UpdateStrategy{{Paused: true}, {}, {Partition: 2}} {
				s.run(lines[i], "", nil)
				s.waitForSet("web", lines[i], func(set *v1alpha1.PodCliqueSet) string {
					if got := set.Spec.UpdateStrategy; got.Paused != want.Paused || got.Partition != want.Partition {
						return fmt.Sprintf("%+v", got)
					}
					return ""
				})
			}
			s.change("web", func(set *v1alpha1.PodCliqueSet) { set.Spec.UpdateStrategy.Partition = 0 })
		})).
		Assess("restart", step(func(s *scope) {
			before = s.podUIDs("web")
			s.run(docs.block(s, "Restarting", 0), "", nil)
			s.waitForSuccessors("web", before, rollingPods(2)...)
			s.waitUntilUpdated("web")
			before = s.podUIDs("web")
		})).
		Assess("go back", step(func(s *scope) {
			s.mustKubectl("annotate", "podcliqueset/web", v1alpha1.AnnotationRestartedAt+"-")
			s.change("web", func(set *v1alpha1.PodCliqueSet) {
				setVersion(set, `3 "quoted" $HOME \n <&> 'so'`)
				set.Spec.UpdateStrategy.Paused = true
			})
			s.waitForSet("web", "recorded", func(set *v1alpha1.PodCliqueSet) string {
				if set.Status.ObservedGeneration == set.Generation {
					return ""
				}
				return fmt.Sprint(set.Status.ObservedGeneration)
			})
			strange := s.revisionOf("web", `3 "quoted`)
			s.goBack(docs, s.revisionOf("web", "2"))
			s.mustSay("web", "2")
			s.goBack(docs, strange)
			s.mustSay("web", `3 "quoted" $HOME \n <&> 'so'`)
			s.goBack(docs, s.revisionOf("web", "1"))
			s.mustSay("web", "1")
			s.change("web", func(set *v1alpha1.PodCliqueSet) { set.Spec.UpdateStrategy.Paused = false })
			s.waitUntilUpdated("web")
			s.mustBeVersion("web", "1")
		})).
		Feature()
}

// newWeb is a set of a version.
func newWeb(version string) *v1alpha1.PodCliqueSet {
	set := newRolling(2)
	setVersion(set, version)
	return set
}

// printed is a page of documentation.
type printed struct{ file string }

// pluginCommand is a line that needs kubectl grove, which has tests of its own.
var pluginCommand = regexp.MustCompile(`(?m)^kubectl grove .*\n`)

// block is one of the shell commands below a heading, without those of the plugin.
func (p printed) block(s *scope, heading string, at int) string {
	s.Helper()
	page, err := os.ReadFile(p.file)
	if err != nil {
		s.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## "+heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(section, -1)
	if len(blocks) <= at {
		s.Fatalf("%s has no command %d below %q", p.file, at, heading)
	}
	return pluginCommand.ReplaceAllString(blocks[at][1], "")
}

// run runs shell commands in the scope's namespace, in a directory that has a set in a file, if any, and returns what they wrote.
func (s *scope) run(script, name string, set *v1alpha1.PodCliqueSet) string {
	s.Helper()
	if set != nil {
		manifest, err := yaml.Marshal(set)
		if err != nil {
			s.Fatal(err)
		}
		script = strings.ReplaceAll(script, name, s.fileOf(manifest))
	}
	out, err := s.Shell(s.ctx, fmt.Sprintf("kubectl() { command kubectl --namespace %s \"$@\"; }\n%s", s.namespace, script))
	if err != nil {
		s.Fatalf("%s\n%v", script, err)
	}
	return out
}

// goBack brings back a ControllerRevision.
func (s *scope) goBack(docs printed, revision string) {
	s.Helper()
	const heading, example = "Going back", "web-0123456789"
	if list := s.run(docs.block(s, heading, 1), "", nil); !strings.Contains(list, revision) {
		s.Errorf("%s isn't in\n%s", revision, list)
	}
	script := docs.block(s, heading, 2)
	if strings.Count(script, example) != 1 {
		s.Fatalf("%s isn't named once in\n%s", example, script)
	}
	s.run(strings.Replace(script, example, revision, 1), "", nil)
}

// revisionOf is the name of the ControllerRevision of a set that has a version.
func (s *scope) revisionOf(set, version string) string {
	s.Helper()
	start := fmt.Sprintf(`"value":%q`, version)
	for _, revision := range s.revisionsOf(set) {
		if strings.Contains(string(revision.Data.Raw), strings.TrimSuffix(start, `"`)) {
			return revision.Name
		}
	}
	s.Fatalf("no ControllerRevision of %s has version %s", set, version)
	return ""
}

// mustSay fails the test unless all cliques of a set's template are of a version.
func (s *scope) mustSay(set, version string) {
	s.Helper()
	s.waitForSet(set, "version "+version, func(set *v1alpha1.PodCliqueSet) string {
		for i := range set.Spec.Template.Cliques {
			if env := set.Spec.Template.Cliques[i].Spec.PodSpec.Containers[0].Env; len(env) != 1 || env[0].Value != version {
				return fmt.Sprintf("clique %s has %+v", set.Spec.Template.Cliques[i].Name, env)
			}
		}
		return ""
	})
}
