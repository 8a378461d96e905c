"""Data planes and their gates: everything that knows how a proxy is told whom to let in."""
