"""The gate service: asked by a proxy at every request, it answers by ledger and ClientCertificate whether the client gets in."""
