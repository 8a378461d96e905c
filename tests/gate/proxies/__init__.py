"""Hosts behind Traefik and Envoy, which ask the gate service at every request."""
