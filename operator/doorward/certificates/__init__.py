"""ClientCertificates: looking at them, signing for them, and writing their Secrets."""
