"""The text of attached files, read in a process of its own so that a bad file costs only itself."""
