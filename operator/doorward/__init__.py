"""Doorward: access is a live ClientCertificate, and nothing else is access."""
