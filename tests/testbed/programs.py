"""Where the machine's programs are: on PATH, or where Debian's default PATH of an ordinary user does not look."""

import os
import shutil

_ADMINISTRATORS = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def find(name: str) -> str | None:
    """The path of a program; None: the machine lacks it."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), *_ADMINISTRATORS]))


def needed(name: str, *, package: str) -> str:
    """The path of a program that must be there; RuntimeError names Debian's package that has it."""
    found = find(name)
    if found is None:
        raise RuntimeError(f"the machine lacks {name}; on Debian it is in the package {package}")
    return found
