"""One module per kind of source, all behind the Source protocol."""
