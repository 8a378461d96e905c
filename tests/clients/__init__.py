"""Real clients and real browsers with what was issued. `make test-clients`."""
