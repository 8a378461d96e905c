"""Hosts where ingress-nginx asks the gate service at every request."""
