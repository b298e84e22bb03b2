package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Code is an error that says nothing but the exit code, for what was said already.
type Code int

// Error is what Exit leaves out.
func (c Code) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// interrupted is what a shell says of a program that ctrl-C has ended.
const interrupted = 130

// Exit says what went wrong, as kubectl does, and returns the exit code: 0 without an error, that of a Code, else 1.
func Exit(w io.Writer, err error) int {
	var code Code
	var status apierrors.APIStatus
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	case errors.Is(err, context.Canceled):
		return interrupted
	case errors.As(err, &status) && status.Status().Reason != "":
		fmt.Fprintf(w, "Error from server (%s): %v\n", status.Status().Reason, err)
	default:
		fmt.Fprintf(w, "error: %v\n", err)
	}
	return 1
}
