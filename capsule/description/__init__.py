"""An artifact and its manifest, recorded or inferred, as one description."""
