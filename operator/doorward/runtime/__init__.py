"""The running process: everything is made and joined here, and driven."""
