"""What a process gives up before it touches a file that nobody vouches for."""

import math
import sys


def confine(memory: int) -> list[str]:
    """Names of the limits that now hold; on Windows none do.

    No descriptor can be opened any more, hence no file and no socket; nothing can be started, and
    no file grows. What is open stays open, and modules can no longer be imported.
    """
    if sys.platform == "win32":
        return []
    import resource

    limits = (
        ("memory", resource.RLIMIT_AS, memory),
        ("cores", resource.RLIMIT_CORE, 0),
        ("writing", resource.RLIMIT_FSIZE, 0),
        ("processes", resource.RLIMIT_NPROC, 0),
        ("opening", resource.RLIMIT_NOFILE, 0),
    )
    held: list[str] = []
    for name, limit, value in limits:
        try:
            resource.setrlimit(limit, (value, value))
        except (ValueError, OSError):
            continue
        held.append(name)
    return held


def allow_seconds(seconds: float) -> None:
    """Lets the process compute for so long from now on; the kernel ends it after that.

    For a process whose parent died, where no one else would.
    """
    if sys.platform == "win32":
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    until = math.ceil(used.ru_utime + used.ru_stime + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))
