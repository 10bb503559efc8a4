"""Our code without the modules that Windows lacks: `python -m tests.packaging.like_windows WORDS`.

Libraries keep them, since each of them looks at the system by itself. WORDS are those of the
command line; `import` alone imports all modules and prints those that cannot be imported.
"""

import builtins
import importlib
import pkgutil
import sys
from collections.abc import Iterator, Mapping, Sequence

from confluence_mcp.command_line import main

PACKAGES = ("confluence_mcp", "evals", "index", "ingest", "server")
LACKING = {"fcntl", "grp", "pwd", "resource", "termios", "tty"}

_import = builtins.__import__


def like_windows(
    name: str,
    globals: Mapping[str, object] | None = None,
    locals: Mapping[str, object] | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> object:
    """Imports what may be imported there."""
    importer = str((globals or {}).get("__name__", "")).partition(".")[0]
    if importer in PACKAGES and name in LACKING:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return _import(name, globals, locals, fromlist, level)


def missing() -> Iterator[str]:
    """The modules of ours that cannot be imported."""
    for package in map(importlib.import_module, PACKAGES):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            try:
                if not module.name.endswith("__main__"):
                    importlib.import_module(module.name)
            except ImportError:
                yield module.name


if __name__ == "__main__":
    builtins.__import__ = like_windows
    if sys.argv[1:] == ["import"]:
        print(*missing(), sep="\n")
    else:
        sys.exit(main(sys.argv[1:]))
