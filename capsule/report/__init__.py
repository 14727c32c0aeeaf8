"""Results for people and for pipelines: text on a terminal, JSON on standard output."""
