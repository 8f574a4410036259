"""Wires the suites into pytest; what the hooks do stands in suites.plugin."""

pytest_plugins = ["suites.plugin"]
