"""The HTTP personality of Confluence Cloud: REST v2 and what is left of v1."""
