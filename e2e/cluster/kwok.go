package cluster

import (
	"context"
	"fmt"
	"path/filepath"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// kwokUser is who the fake kubelets are to the API server.
const kwokUser = "kwok"

// writeKwokKubeconfig writes the kubeconfig of the fake kubelets, who have all rights under a name of their own, and returns its path.
func (c *Cluster) writeKwokKubeconfig(apiServerPort int) (string, error) {
	pki := filepath.Join(c.dir, "clusters", c.Name, "pki")
	config := clientcmdapi.NewConfig()
	config.Clusters[c.Name] = &clientcmdapi.Cluster{
		Server:               fmt.Sprintf("https://127.0.0.1:%d", apiServerPort),
		CertificateAuthority: filepath.Join(pki, "ca.crt"),
	}
	config.AuthInfos[kwokUser] = &clientcmdapi.AuthInfo{
		ClientCertificate: filepath.Join(pki, "admin.crt"), ClientKey: filepath.Join(pki, "admin.key"),
		Impersonate: kwokUser, ImpersonateGroups: []string{"system:masters"},
	}
	config.Contexts[kwokUser] = &clientcmdapi.Context{Cluster: c.Name, AuthInfo: kwokUser}
	config.CurrentContext = kwokUser
	path := filepath.Join(c.dir, "kwok-kubeconfig.yaml")
	return path, clientcmd.WriteToFile(*config, path)
}

// keepKwokFromLivePods keeps fake kubelets from ending a pod that nobody has deleted. A kubelet asks for the end of the pod with the UID that it knows;
// kwok asks by name, sometimes twice, and where it is slow it would end the successor, which looks like a failure of the pod.
func keepKwokFromLivePods(ctx context.Context, client kubernetes.Interface) error {
	name := metav1.ObjectMeta{Name: "kwok-ends-deleted-pods"}
	policy := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: name, Spec: admissionv1.ValidatingAdmissionPolicySpec{
		MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
			Operations: []admissionv1.OperationType{admissionv1.Delete},
			Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
		}}}},
		MatchConditions: []admissionv1.MatchCondition{{Name: "kwok", Expression: fmt.Sprintf("request.userInfo.username == %q", kwokUser)}},
		Validations: []admissionv1.Validation{{
			Expression: "has(oldObject.metadata.deletionTimestamp)", Message: "nobody has deleted this pod: it is the successor of the one that is meant",
		}},
	}}
	if _, err := client.AdmissionregistrationV1().ValidatingAdmissionPolicies().Create(ctx, policy, metav1.CreateOptions{}); err != nil {
		return err
	}
	_, err := client.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().Create(ctx, &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: name,
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: name.Name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
		},
	}, metav1.CreateOptions{})
	return err
}
