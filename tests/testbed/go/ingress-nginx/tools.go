//go:build tools

// Package tools names the command that the test cluster is built from.
package tools

import _ "k8s.io/ingress-nginx/cmd/nginx"
