"""The HTTP personality of Confluence Server and Data Center: REST v1, below a context path."""
