"""X.509 and nothing else: names, keys, certificates, CRLs, keystores."""
