"""The writing side: Confluence to index."""
