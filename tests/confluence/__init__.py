"""A Confluence simulator, served over HTTP or in process."""
