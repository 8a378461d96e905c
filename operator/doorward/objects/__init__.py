"""Each object that Doorward owns: parse and render, side by side, pure."""
