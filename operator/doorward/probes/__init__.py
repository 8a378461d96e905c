"""Probes of gates: asks each replica of an ingress controller, as a client without access does, and says what it heard."""
