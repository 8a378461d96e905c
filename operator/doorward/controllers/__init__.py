"""Where the rooms meet: events in, writes out."""
