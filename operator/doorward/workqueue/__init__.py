"""Which key is worked on when; knows nothing of certificates."""
