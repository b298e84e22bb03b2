package cluster

import (
	"context"
	"fmt"
	"path/filepath"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/ptr"

	"grove.io/grove/crds"
)

// InstallCRDs installs the repository's CustomResourceDefinitions, and waits until their API is served.
func (c *Cluster) InstallCRDs(ctx context.Context) error { return c.install(ctx, "crds") }

// Install installs all that the repository's deploy has, CustomResourceDefinitions included, and waits until their API is served.
func (c *Cluster) Install(ctx context.Context) error { return c.install(ctx, "deploy") }

func (c *Cluster) install(ctx context.Context, what string) error {
	root, _, err := repository(ctx)
	if err != nil {
		return err
	}
	if _, err := c.Kubectl(ctx, "apply", "--server-side", "-k", filepath.Join(root, what)); err != nil {
		return err
	}
	definitions, err := crds.All()
	if err != nil {
		return err
	}
	wait := []string{"wait", "--for=condition=Established", "--timeout=60s"}
	for _, definition := range definitions {
		wait = append(wait, "customresourcedefinition/"+definition.Name)
	}
	_, err = c.Kubectl(ctx, wait...)
	return err
}

// tokenSeconds is how long a token for tests lasts.
const tokenSeconds = 2 * 60 * 60

// KubeconfigOf writes a kubeconfig with a token of a ServiceAccount, and returns its path.
func (c *Cluster) KubeconfigOf(ctx context.Context, namespace, account string) (string, error) {
	client, err := kubernetes.NewForConfig(c.config)
	if err != nil {
		return "", err
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To[int64](tokenSeconds)}}
	token, err := client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, account, request, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("a token of %s/%s: %w", namespace, account, err)
	}
	path := filepath.Join(c.dir, fmt.Sprintf("kubeconfig-%s-%s.yaml", namespace, account))
	return path, WriteKubeconfig(path, c.config, token.Status.Token)
}

// WriteKubeconfig writes a kubeconfig for the API server of a configuration, with a token.
func WriteKubeconfig(path string, server *rest.Config, token string) error {
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{
		Server: server.Host, CertificateAuthority: server.CAFile, CertificateAuthorityData: server.CAData, InsecureSkipTLSVerify: server.Insecure,
	}
	config.AuthInfos["c"] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts["c"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "c"}
	config.CurrentContext = "c"
	return clientcmd.WriteToFile(*config, path)
}
