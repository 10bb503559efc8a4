"""How a page body is read: storage format to blocks of Markdown."""
