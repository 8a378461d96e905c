"""What a proxy asks the gate service at a request: a module for each proxy, render and parse side by side."""
