"""The rules: plan(observed, now), reading no clock, no cluster and no random numbers."""
