"""Which files are read for their text, told by name and media type. Pure."""

_EXTENSIONS = {
    "pdf": ("pdf",),
    "docx": ("docx", "docm", "dotx", "dotm"),
    "pptx": ("pptx", "pptm", "ppsx", "ppsm", "potx", "potm"),
    "xlsx": ("xlsx", "xlsm", "xltx", "xltm"),
    "csv": ("csv", "tsv"),
    "txt": ("txt", "text", "log"),
    "md": ("md", "markdown"),
    "html": ("html", "htm", "xhtml"),
    "eml": ("eml",),
}
KINDS: tuple[str, ...] = tuple(_EXTENSIONS)

_OFFICE = "application/vnd.openxmlformats-officedocument."
_MEDIA_TYPES = {
    "application/pdf": "pdf",
    _OFFICE + "wordprocessingml.document": "docx",
    _OFFICE + "presentationml.presentation": "pptx",
    _OFFICE + "spreadsheetml.sheet": "xlsx",
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    "text/plain": "txt",
    "text/markdown": "md",
    "text/html": "html",
    "application/xhtml+xml": "html",
    "message/rfc822": "eml",
}
_KIND_BY_EXTENSION = {
    extension: kind for kind, extensions in _EXTENSIONS.items() for extension in extensions
}


def kind_of(filename: str, media_type: str) -> str | None:
    """One of KINDS, or None for a file that is not read. The name is trusted before the type."""
    _, dot, extension = filename.rpartition(".")
    essence = media_type.partition(";")[0].strip().lower()
    by_name = _KIND_BY_EXTENSION.get(extension.strip().lower()) if dot else None
    return by_name or _MEDIA_TYPES.get(essence)
