"""What the files under deploy/ say, and that it works."""
