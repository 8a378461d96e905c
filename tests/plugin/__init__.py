"""The plugin of kubectl as krew installs it; `make test-plugin` runs these, since it is packed first."""
