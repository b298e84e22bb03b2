package kind

import (
	"encoding/json"
	"os/exec"
	"testing"

	"github.com/google/go-cmp/cmp"

	"grove.io/grove/e2e/cluster"
)

// mostImageSize is what the image may have, in bytes.
const mostImageSize = 60_000_000

// image is the part of docker's description of an image that a test looks at.
type image struct {
	Size   int64
	Config struct{ User string }
	RootFS struct{ Layers []string }
}

// TestImage checks that the operator's image is small, isn't root's, and becomes the same when it is built again.
func TestImage(t *testing.T) {
	first := inspect(t, cluster.OperatorImage)
	if first.Size > mostImageSize {
		t.Errorf("the image has %d bytes; want at most %d", first.Size, mostImageSize)
	}
	if first.Config.User != "65532:65532" {
		t.Errorf("the image runs as %q", first.Config.User)
	}
	const again = "grove.io/grove:again"
	docker(t, "build", "--quiet", "--no-cache", "--target=host", "--tag="+again, "../../..")
	defer docker(t, "rmi", again)
	if diff := cmp.Diff(first.RootFS.Layers, inspect(t, again).RootFS.Layers); diff != "" {
		t.Errorf("layers of two builds (-first +second):\n%s", diff)
	}
}

func inspect(t *testing.T, name string) image {
	t.Helper()
	var images []image
	if err := json.Unmarshal([]byte(docker(t, "image", "inspect", name)), &images); err != nil || len(images) != 1 {
		t.Fatalf("docker image inspect %s: %d images, %v", name, len(images), err)
	}
	return images[0]
}

func docker(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("docker", args...)
	cmd.Env = append(cmd.Environ(), "DOCKER_BUILDKIT=0")
	out, err := cluster.Output(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
