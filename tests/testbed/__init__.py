"""A real cluster on a bare machine: kube-apiserver, etcd, controller-manager and ingress-nginx as plain processes."""
