"""The reading side: MCP tools over the index."""
