"""The image: built from the Containerfile without a container engine, and run. `make test-image`, as root, on Debian."""
