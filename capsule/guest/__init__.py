"""What runs inside the model's own environment, and what both sides share.

Standard library and whatever Keras is found there; parses on Python 3.6; imports
only itself. The folder is copied whole to the interpreter that needs it.
"""
