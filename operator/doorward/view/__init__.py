"""What is known of the cluster: the stores, the namespaces that take part, and which change wakes which key."""
