"""Live objects to a manifest: the import graph, source text, the probe, the save hook."""
