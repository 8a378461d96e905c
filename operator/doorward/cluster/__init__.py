"""Reading and writing the Kubernetes API, and what was last seen of it."""
