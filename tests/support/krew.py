"""`make plugin`: the archive that krew unpacks, and krew's manifest of it, from what PyInstaller left in a folder.

Arguments: that folder, the folder for both files, and the address that the archive will have, without its name.
"""

import gzip
import hashlib
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path

import yaml

from tests.support.chart_templates import ROOT

ARCHIVE = "doorward-plugin-linux-amd64.tar.gz"
MANIFEST = "doorward.yaml"
PROGRAM = "kubectl-doorward"


def pack(built: Path, archive: Path) -> None:
    """The folder's content and the license; the same content gives the same bytes."""
    with (
        archive.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        tar.add(ROOT / "LICENSE", "LICENSE", filter=_anonymous)
        for path in sorted(built.rglob("*")):
            tar.add(path, str(path.relative_to(built)), recursive=False, filter=_anonymous)


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
    return entry


def manifest(archive: Path, address: str) -> str:
    """What krew reads: where the archive is, its hash, and the program in it."""
    platform = {
        "selector": {"matchLabels": {"os": "linux", "arch": "amd64"}},
        "uri": f"{address.rstrip('/')}/{archive.name}",
        "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
        "files": [{"from": "*", "to": "."}],
        "bin": PROGRAM,
    }
    body = {
        "apiVersion": "krew.googlecontainertools.github.com/v1alpha2",
        "kind": "Plugin",
        "metadata": {"name": "doorward"},
        "spec": {
            "version": f"v{version('doorward')}",
            "shortDescription": "Inspect and manage client certificates",
            "description": (
                "Shows the state of Doorward's issuers and client certificates, explains why a client is admitted"
                " or refused, and suspends, revokes and exports certificates. Doorward must run in the cluster.\n"
            ),
            "platforms": [platform],
        },
    }
    return yaml.safe_dump(body, sort_keys=False, width=120)


def main(built: Path, folder: Path, address: str) -> None:
    """Write both."""
    archive = folder / ARCHIVE
    pack(built, archive)
    (folder / MANIFEST).write_text(manifest(archive, address))
    print(f"{archive}: {archive.stat().st_size / 1e6:.0f} MB\n{folder / MANIFEST}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
