"""Odoo 19 from Debian, without touching the machine's own package configuration.

apt runs with private folders, so no rights are needed, and checks Debian's
signatures. The site is the one that this machine's own sources name.
"""

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .console import DevError, step
from .processes import reading
from .state import State, fingerprint

#: Suite -> packages. Odoo links to fonts and scripts that other packages hold; it needs
#: Font Awesome 4.7, which the unstable suite has no more.
PACKAGES = {
    "sid": (
        "odoo-19",
        "fonts-inconsolata",
        "fonts-roboto-unhinted",
        "libjs-jquery",
        "libjs-jquery-form",
        "libjs-underscore",
    ),
    "bookworm": ("fonts-font-awesome",),
}
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
STAMP = ".mea-stamp"
NOT_DEBIAN = (
    "Odoo 19 is taken from Debian's package archive, and this machine has no {what}:"
    " use Debian, or set ODOO_HOME to a folder that holds Odoo 19."
)
# Left out of Debian's package; without any file there no asset bundle can be built.
PLACEHOLDER = "mail/static/lib/selfie_segmentation/selfie_segmentation.js"
PLACEHOLDER_TEXT = "// Debian leaves this library out; blurring is not available.\n"


def wanted() -> str:
    """Return the stamp of an unpacked Odoo that needs no work."""
    return fingerprint(
        f"{suite}/{name}" for suite in PACKAGES for name in PACKAGES[suite]
    )


def ensure_odoo(state: State) -> None:
    """Unpack Odoo 19 at ``state.odoo`` unless it is there already.

    :raises DevError: no Debian, no network, no space
    """
    stamp = state.odoo / STAMP
    if stamp.exists() and stamp.read_text() == wanted():
        return
    _check_debian()
    files = _download(state)
    _unpack(state, files)


def _check_debian() -> None:
    for program in ("apt-get", "dpkg-deb"):
        if not shutil.which(program):
            raise DevError(NOT_DEBIAN.format(what=program))
    if not KEYRING.exists():
        raise DevError(NOT_DEBIAN.format(what="keyring of Debian's archive"))


def _sites() -> list[str]:
    """Return the package sites of this machine, Debian's own first.

    The origin is only known once the machine's own package lists were fetched. Any
    order works: a site that isn't Debian's fails the check of the signature.
    """
    found = subprocess.run(
        [
            *("apt-get", "indextargets", "--no-release-info", "--format"),
            "$(ORIGIN)|$(LABEL)|$(SITE)",
            "Created-By: Packages",
        ],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    ranked = []
    for line in found.splitlines():
        origin, label, site = line.split("|", 2)
        rank = (origin, label) != ("Debian", "Debian"), "security" in site
        ranked.append((rank, site))
    return list(dict.fromkeys(site for _rank, site in sorted(ranked)))


def _apt_options(folder: Path) -> list[str]:
    """Return the options that make apt work in ``folder`` alone (apt.conf(5))."""
    settings = {
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": os.devnull,
        "Dir::Etc::preferencesparts": os.devnull,
        "Dir::State": folder / "state",
        "Dir::State::Lists": folder / "lists",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "",
        "APT::Update::Error-Mode": "any",
        "APT::Install-Recommends": "false",
        "Acquire::Languages": "none",
        "Acquire::Retries": "2",
        "APT::Status-Fd": "1",
    }
    return [
        part for key, value in settings.items() for part in ("-o", f"{key}={value}")
    ]


def _apt(folder: Path, *arguments: str, label: str) -> str:
    """Run apt-get with progress shown; return what it complained of."""
    command = ["apt-get", "-qq", *_apt_options(folder), *arguments]
    with (
        step(label) as progress,
        reading(command, cwd=folder, env={"LC_ALL": "C"}) as (process, output),
    ):
        complaints = []
        for line in output:
            kind, *rest = line.rstrip().split(":", 3)
            if kind == "dlstatus" and len(rest) == 3:
                progress.update(float(rest[1]), rest[2])
            elif line.startswith(("E:", "W:")):
                complaints.append(line.strip())
    return "" if process.returncode == 0 else "\n".join(complaints) or "apt-get failed"


def _download(state: State) -> list[Path]:
    folder = state.downloads
    for name in ("lists/partial", "cache/archives/partial", "state"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "status").touch()
    complaint = ""
    for site in _sites():
        sources = [
            f"deb [signed-by={KEYRING}] {site} {suite} main\n" for suite in PACKAGES
        ]
        (folder / "sources.list").write_text("".join(sources))
        complaint = _apt(folder, "update", label="Reading Debian's package lists")
        if not complaint:
            break
    else:
        raise _failure(complaint, "no package source in apt's configuration")
    names = [f"{name}/{suite}" for suite in PACKAGES for name in PACKAGES[suite]]
    # What apt finds whole it keeps, a part it resumes, anything else it fetches anew.
    complaint = _apt(folder, "download", *names, label="Fetching Odoo 19 (130 MB)")
    if complaint:
        raise _failure(complaint, "")
    return list(_newest(folder))


def _newest(folder: Path) -> Iterator[Path]:
    for name in (name for names in PACKAGES.values() for name in names):
        files = sorted(
            folder.glob(f"{name}_*.deb"), key=lambda file: file.stat().st_ctime
        )
        yield files[-1]


def _failure(complaint: str, nothing: str) -> DevError:
    """Return the one line for what apt said."""
    if not complaint:
        return DevError(NOT_DEBIAN.format(what=nothing))
    if "No space left" in complaint or "don't have enough free space" in complaint:
        return no_space()
    if "Unable to locate" in complaint or "was not found" in complaint:
        return DevError(
            "Debian offers no odoo-19 now: set ODOO_HOME to a folder that holds it."
        )
    return DevError(
        "Debian's packages can't be fetched: check the network (apt's proxy settings"
        " are used), or set ODOO_HOME. apt-get said: " + complaint.splitlines()[-1]
    )


def no_space() -> DevError:
    """Return the error for a full disk."""
    return DevError(
        "the disk is full: about 3 GB are needed; free some space, or set MEA_STATE"
        " to a folder on another disk."
    )


def _unpack(state: State, files: list[Path]) -> None:
    """Unpack into a folder of its own first: a half unpacked Odoo is never used."""
    fresh = state.folder / "odoo.new"
    shutil.rmtree(fresh, ignore_errors=True)
    with step("Unpacking Odoo 19") as progress:
        for number, file in enumerate(files):
            progress.update(100 * number / len(files), file.name)
            _extract(file, fresh)
        placeholder = fresh / "usr/lib/python3/dist-packages/odoo/addons" / PLACEHOLDER
        if not placeholder.exists():
            placeholder.parent.mkdir(parents=True, exist_ok=True)
            placeholder.write_text(PLACEHOLDER_TEXT)
        (fresh / STAMP).write_text(wanted())
    stale = state.folder / "odoo.old"
    shutil.rmtree(stale, ignore_errors=True)
    if state.odoo.exists():
        state.odoo.rename(stale)
    fresh.rename(state.odoo)
    shutil.rmtree(stale, ignore_errors=True)


def _extract(file: Path, folder: Path) -> None:
    done = subprocess.run(
        ["dpkg-deb", "--extract", str(file), str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return
    if os.strerror(errno.ENOSPC) in done.stderr:
        raise no_space()
    file.unlink()  # a damaged download must not stay in the way of the next try
    raise DevError(f"{file.name} can't be unpacked: run the command again to fetch it.")
