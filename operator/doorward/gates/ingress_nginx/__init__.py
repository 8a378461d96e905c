"""The data plane ingress-nginx."""
