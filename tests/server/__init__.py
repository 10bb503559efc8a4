"""Tests of the reading side, through a real MCP client."""
