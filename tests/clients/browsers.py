"""Chromium and Firefox of Debian's packages, without a window: what each shows of a page to a reader who imported a .p12 file.

Each visit is a browser that was just started, with a home folder of its own and one NSS database, which `certutil` and `pk12util`
fill. Both choose a certificate without asking, as an administrator can let them do.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.testbed import debian, jail, ports
from tests.testbed.process import Process, run

from .marionette import Marionette
from .site import Exported, Site

WIDTH, HEIGHT = 640, 220
FONTS = "fonts-dejavu-core"
_INSIDE = "/testbed/chromium"


class Shown(NamedTuple):
    """What a reader sees: the text of the page (its HTML, in Chromium), and a picture of it, PNG."""

    text: str
    picture: bytes


Browser = Callable[[Site, Exported | None, Path], Shown]
"""Shows the host's page to a client, or to nobody, in an empty folder."""


def chromium(site: Site, files: Exported | None, folder: Path) -> Shown:
    """The policy lies where Debian's Chromium looks, below /etc: so it runs in a root folder of its own."""
    packages = debian.unpacked("chromium", FONTS)
    root, home = folder / "root", folder / "home"
    _database(home / ".pki/nssdb", site, files)
    binds = {_INSIDE: packages, "/home/reader": home}
    jail.build(root, binds)
    policies = root / "etc/chromium/policies/managed"
    policies.mkdir(parents=True)
    (policies / "certificates.json").write_text(json.dumps(_policy(site)))
    _fonts(home / "fonts.conf", f"{_INSIDE}/usr/share/fonts", "/home/reader/.cache")
    folders = [debian.with_libraries(packages)["LD_LIBRARY_PATH"], *map(str, packages.glob("usr/lib/*/pulseaudio"))]
    libraries = ":".join(folders).replace(str(packages), _INSIDE)
    env = {"HOME": "/home/reader", "LD_LIBRARY_PATH": libraries, "FONTCONFIG_FILE": "/home/reader/fonts.conf"}
    options = [
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
        *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars"),
        *("--user-data-dir=/home/reader/profile", f"--window-size={WIDTH},{HEIGHT}", "--timeout=60000"),
        f"--host-resolver-rules=MAP {site.door.host} {site.door.ingress.address}, MAP * ~NOTFOUND",
        *("--dump-dom", "--screenshot=/home/reader/page.png", _url(site)),
    ]
    program = ["env", *(f"{name}={value}" for name, value in env.items()), f"{_INSIDE}/usr/lib/chromium/chromium"]
    text = run(jail.command(root, binds, [*program, *options]))
    return Shown(text, (home / "page.png").read_bytes())


def _policy(site: Site) -> Mapping[str, object]:
    chosen = {"pattern": f"https://{site.door.host}:{site.port}", "filter": {}}
    return {"AutoSelectCertificateForUrls": [json.dumps(chosen)]}


def firefox(site: Site, files: Exported | None, folder: Path) -> Shown:
    """Driven through Marionette, which is part of it."""
    packages = debian.unpacked("firefox-esr", FONTS)
    (port,) = leased = ports.lease(1)
    profile = folder / "profile"
    _database(profile, site, files)
    preferences = {
        "security.default_personal_cert": "Select Automatically",
        "network.dns.localDomains": site.door.host,
        "marionette.port": port,
    }
    lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in preferences.items())
    (profile / "user.js").write_text("".join(lines))
    _fonts(folder / "fonts.conf", f"{packages}/usr/share/fonts", str(folder / "cache"))
    env = {
        **debian.with_libraries(packages),
        "HOME": str(folder),
        "FONTCONFIG_FILE": str(folder / "fonts.conf"),
        "MOZ_HEADLESS_WIDTH": str(WIDTH),
        "MOZ_HEADLESS_HEIGHT": str(HEIGHT),
    }
    command = [packages / "usr/lib/firefox-esr/firefox-esr", "--headless", "--marionette", "--no-remote"]
    process = Process("firefox", [*command, "--profile", profile], folder / "firefox.log", env=env)
    process.start()
    try:
        process.wait_until(lambda: Marionette.listens(port))
        with Marionette(port) as driver:
            driver.go_to(_url(site))
            return Shown(driver.text(), driver.picture())
    finally:
        process.stop()
        ports.give_back(leased)


BROWSERS: Mapping[str, Browser] = {"Chromium": chromium, "Firefox": firefox}


def _url(site: Site) -> str:
    return f"https://{site.door.host}:{site.port}/"


def _database(folder: Path, site: Site, files: Exported | None) -> None:
    """An NSS database that trusts the host's own CA and holds the client's key and certificate."""
    certutil, pk12util = (debian.tool(name, package="libnss3-tools") for name in ("certutil", "pk12util"))
    folder.mkdir(parents=True)
    database = ("-d", f"sql:{folder}")
    run([certutil.binary, "-N", *database, "--empty-password"], env=certutil.env)
    run([certutil.binary, "-A", *database, "-n", "server", "-t", "C,,", "-i", site.ca], env=certutil.env)
    if files is not None:
        run([pk12util.binary, "-i", files.p12, *database, "-w", files.password], env=pk12util.env)


def _fonts(file: Path, folder: str, cache: str) -> None:
    # Where the machine has the fonts already, they are not unpacked.
    folders = f"<dir>{folder}</dir><dir>/usr/share/fonts</dir>"
    file.write_text(f"<fontconfig>{folders}<cachedir>{cache}</cachedir></fontconfig>\n")
