"""Find the submissions in a folder or in an LMS's bulk download, and read a notebook without trusting it."""
import io
import json
import os
import re
import stat
import zipfile
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import nbformat

BIGGEST = 20 * 2**20  # bytes of a notebook; larger ones hold data or outputs that nobody needs

# What the two systems make of a student's name, number and file in their bulk downloads.
MOODLE = re.compile(r"(?P<name>[^/]+)_(?P<id>\d+)_assignsubmission_file_?(?P<file>.*)")
CANVAS = re.compile(r"(?P<name>[^/_]+)_(?:LATE_)?(?P<id>\d+)_\d+_(?P<file>.+)")


class Ungradable(Exception):
    """There is nothing to grade; the message says why."""


class File(NamedTuple):
    """A file that was handed in: in a folder, or in an archive."""

    name: str  # path inside the student's folder
    path: str  # of the file, or of the archive
    member: str = ""  # its name in the archive

    def read(self):
        """Return the bytes; raise Ungradable."""
        if self.member:
            with zipfile.ZipFile(self.path) as archive:
                return _member(archive, self.member)
        about = os.lstat(self.path)
        if not stat.S_ISREG(about.st_mode):
            raise Ungradable(f"{self.name} is a link or not a file")
        if about.st_size > BIGGEST:
            raise _too_big(self.name, about.st_size)
        no_links = getattr(os, "O_NOFOLLOW", 0)
        with open(self.path, "rb", opener=lambda path, flags: os.open(path, flags | no_links)) as file:
            return file.read(BIGGEST)


class Submission(NamedTuple):
    """All that one student handed in."""

    student: str
    id: str  # the number that the LMS knows the student by, or ""
    files: tuple


def _too_big(name, size):
    return Ungradable(f"{name} has {size / 2**20:.0f} MB; more than {BIGGEST >> 20} are not read "
                      "(clear the outputs, and hand in again)")


def _member(archive, name):
    info = archive.getinfo(name)
    if info.file_size > BIGGEST:
        raise _too_big(name, info.file_size)
    with archive.open(info) as file:
        content = file.read(BIGGEST + 1)  # the size that the archive states may be a lie
    if len(content) > BIGGEST:
        raise _too_big(name, len(content))
    return content


def collect(inbox):
    """Return the submissions in a folder or zip, sorted by student; nothing is unpacked or followed."""
    inbox = Path(inbox)
    if zipfile.is_zipfile(inbox):
        with zipfile.ZipFile(inbox) as archive:
            files = [(entry.filename, File(entry.filename, str(inbox), entry.filename)) for entry in archive.infolist()
                     if not entry.is_dir()]
    elif inbox.is_dir():
        files, empty = [], []
        for path in sorted(inbox.iterdir()):
            below = list(_walk(path))
            files += [(str(PurePosixPath(file.relative_to(inbox))), File("", str(file))) for file in below]
            if not below and not path.name.startswith("."):
                empty.append(path.name)
    else:
        raise FileNotFoundError(f"{inbox} is neither a folder nor a zip archive")
    found = {}
    for name, file in files:
        if "__MACOSX" in name or any(part.startswith(".") and part != ".." for part in name.split("/")):
            continue
        student, number, rest = _owner(name)
        found.setdefault((student, number), []).append(file._replace(name=rest))
    if inbox.is_dir():
        for name in empty:
            found.setdefault(_owner(name + "/")[:2], [])
    return [Submission(student, number, tuple(files)) for (student, number), files in sorted(found.items())]


def _walk(path):
    """Yield the files below a path; links as they are."""
    if path.is_dir() and not path.is_symlink():
        for child in sorted(path.iterdir()):
            yield from _walk(child)
    else:
        yield path


def _owner(name):
    """Return student, number and the rest of the name, from a path in the inbox."""
    parts = [part for part in name.replace("\\", "/").split("/")]
    if ".." in parts or parts[0] in ("", ".") or re.match(r"[A-Za-z]:", parts[0]):
        return f"outside: {name}", "", name  # of nobody: a name that would lead out of the folder
    head, rest = parts[0], "/".join(parts[1:])
    for pattern in (MOODLE, CANVAS):
        match = pattern.fullmatch(head)
        if match:
            return f"{match['name']}_{match['id']}", match["id"], rest or match["file"]
    return (head if rest or len(parts) > 1 else Path(head).stem), "", rest or head


def notebook(submission, name):
    """Return the student's notebook and notes on it; raise Ungradable. `name` is that of the problem set."""
    if submission.student.startswith("outside: "):
        raise Ungradable("its name in the archive leads outside of the archive")
    files = [file for file in submission.files if file.name.endswith(".ipynb")]
    if not files and any(not file.member and os.path.islink(file.path) for file in submission.files):
        raise Ungradable("it is a link, and not a file")
    archives = [file for file in submission.files if file.name.lower().endswith(".zip")]
    if not files and len(archives) == 1:
        return _from_archive(archives[0], name)
    file, notes = _choose({file.name: file for file in files}, name)
    return _parse(file.read(), file.name), notes


def _from_archive(file, name):
    """Look into a student's own zip."""
    try:
        with zipfile.ZipFile(io.BytesIO(file.read())) as archive:
            names = archive.namelist()
            if any(".." in part.split("/") or part.startswith(("/", "\\")) for part in names):
                raise Ungradable(f"{file.name} holds a name that leads outside of it")
            inside = {entry: entry for entry in names if entry.endswith(".ipynb") and "__MACOSX" not in entry
                      and ".ipynb_checkpoints" not in entry}
            member, notes = _choose(inside, name)
            return _parse(_member(archive, member), member), [f"taken out of {file.name}", *notes]
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise Ungradable(f"{file.name} cannot be unpacked ({type(error).__name__})") from None


def _choose(files, name):
    """Return the one notebook among named files, and notes."""
    right = [path for path in files if PurePosixPath(path).name == f"{name}.ipynb"]
    if len(right) == 1:
        others = len(files) - 1
        return files[right[0]], [f"{others} more notebooks were left aside"] if others else []
    if len(files) != 1:
        raise Ungradable(f"{len(files) or 'no'} notebooks, and not exactly one named {name}.ipynb")
    path, file = files.popitem()
    return file, [f"named {PurePosixPath(path).name!r}"]


def _parse(content, name):
    """Return a valid notebook of the present format."""
    if not content.strip():
        raise Ungradable(f"{name} is empty")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Ungradable(f"{name} is not text in UTF-8") from None
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise Ungradable(f"{name} is not JSON: damaged, cut off, or not a notebook") from None
    try:
        old = data["worksheets"] if "worksheets" in data else [data]  # of format 3
        for cell in (cell for sheet in old for cell in sheet["cells"]):
            cell.pop("id", None) if not isinstance(cell.get("id"), str) else None
            if cell["cell_type"] == "code":
                cell["outputs"] = []
                cell["prompt_number" if "worksheets" in data else "execution_count"] = None
        data = nbformat.convert(nbformat.from_dict(data), 4)
        for cell in data.cells:
            for key in ("source", "metadata", "cell_type"):
                cell[key]
            if isinstance(cell.source, list):
                cell.source = "".join(cell.source)
            if not isinstance(cell.source, str):
                raise TypeError
        return data
    except Exception as error:  # noqa: BLE001 -- whatever a file that is no notebook may do
        raise Ungradable(f"{name} is JSON, but not a notebook ({type(error).__name__})") from None
