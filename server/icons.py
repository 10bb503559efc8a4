"""Small pictures for the menus of clients, as addresses that hold them. Pure."""

from base64 import b64encode

from mcp.types import Icon

# Lines of a middle blue, which is seen on dark and on light.
_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
    '<path fill="none" stroke="#27c" d="{}"/></svg>'
)


def _icon(path: str) -> Icon:
    data = b64encode(_SVG.format(path).encode()).decode()
    return Icon(src=f"data:image/svg+xml;base64,{data}", mime_type="image/svg+xml")


SERVER_ICON = _icon("M3 2h7l3 3v9H3zM6 8h4M6 11h4")
SEARCH_ICON = _icon("M11 11l4 4M12 7a5 5 0 1 1-10 0 5 5 0 0 1 10 0")
PAGE_ICON = SERVER_ICON
ANSWER_ICON = _icon("M2 3h12v8H7l-3 3v-3H2zM5 7h6")
SPACE_ICON = _icon("M2 4h5l1 2h6v8H2z")
CHANGES_ICON = _icon("M8 4v4l3 2M14 8A6 6 0 1 1 8 2a6 6 0 0 1 6 6")
COMPARE_ICON = _icon("M2 3h5v10H2zM9 3h5v10H9z")
OWNER_ICON = _icon("M8 8a3 3 0 1 0 0-6 3 3 0 0 0 0 6M2 15a6 6 0 0 1 12 0")
