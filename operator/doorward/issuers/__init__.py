"""MTLSIssuers: their CA keys, what they publish, and what is remembered of each."""
