package app

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/cert"
	"k8s.io/klog/v2"
)

const (
	// verdictHolds is for how long the API server isn't asked again about a token.
	verdictHolds = time.Minute
	// mostVerdicts bounds what strangers can make the operator remember.
	mostVerdicts = 1000
	// mostReviews bounds how many tokens strangers can make the operator ask about at a time.
	mostReviews = 8
)

// authorized lets only those through to the handler of metrics whom the API server knows by their token and lets get them. The
// package for this in k8s.io/apiserver would link CEL, gRPC and OpenTelemetry into the operator.
func authorized(kube kubernetes.Interface, next http.Handler) http.Handler {
	verdicts, reviews := cache.NewLRUExpireCache(mostVerdicts), semaphore.NewWeighted(mostReviews)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || token == "" {
			http.Error(w, "give a bearer token", http.StatusUnauthorized)
			return
		}
		key := sha256.Sum256([]byte(token)) // whatever strangers send, it takes no more than this
		code, known := verdicts.Get(key)
		if !known {
			var err error
			if code, err = judge(r.Context(), kube, reviews, token); err != nil {
				klog.FromContext(r.Context()).Error(err, "Asking the API server about a token failed")
				http.Error(w, "the API server couldn't be asked about the token", http.StatusServiceUnavailable)
				return
			}
			verdicts.Add(key, code, verdictHolds)
		}
		switch code {
		case http.StatusOK:
			next.ServeHTTP(w, r)
		case http.StatusForbidden:
			http.Error(w, "may not get "+metricsPath, http.StatusForbidden)
		default:
			http.Error(w, "the token isn't valid", http.StatusUnauthorized)
		}
	})
}

// judge asks the API server who has a token, and whether they may get metrics.
func judge(ctx context.Context, kube kubernetes.Interface, reviews *semaphore.Weighted, token string) (code int, err error) {
	if err := reviews.Acquire(ctx, 1); err != nil {
		return 0, fmt.Errorf("waiting for other reviews: %w", err)
	}
	defer reviews.Release(1)
	review, err := kube.AuthenticationV1().TokenReviews().Create(ctx,
		&authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}, metav1.CreateOptions{})
	if err != nil {
		return 0, fmt.Errorf("reviewing a token: %w", err)
	}
	if !review.Status.Authenticated {
		return http.StatusUnauthorized, nil
	}
	user := review.Status.User
	extra := map[string]authorizationv1.ExtraValue{}
	for key, value := range user.Extra {
		extra[key] = authorizationv1.ExtraValue(value)
	}
	access, err := kube.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra,
			NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: metricsPath, Verb: "get"},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return 0, fmt.Errorf("reviewing the access of %s: %w", user.Username, err)
	}
	if !access.Status.Allowed {
		return http.StatusForbidden, nil
	}
	return http.StatusOK, nil
}

// selfSigned is a certificate for this run: tokens shouldn't travel in the clear, and who asks has no way to know the operator by.
func selfSigned() (*tls.Config, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	certificate, key, err := cert.GenerateSelfSignedCertKey(host, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, err
}
