//go:build tools

// Package tools names the command that the test cluster is built from.
package tools

import _ "go.etcd.io/etcd/server/v3"
