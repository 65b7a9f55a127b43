"""Find the submissions in a folder or in an LMS's bulk download, and read a notebook without trusting it."""
import io
import json
import os
import re
import stat
import unicodedata
import zipfile
import zlib
from contextlib import suppress
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import nbformat

BIGGEST = 20 * 2**20  # bytes of a notebook; larger ones hold data or outputs that nobody needs
NOTEBOOK = re.compile(r".*\.ipynb(\.(?!zip$)\w+)*", re.I | re.S)  # browsers and mail programs add .json or .txt

# What the platforms make of a student's name, number, time and file in their bulk downloads.
MOODLE = re.compile(r"(?P<name>.+?)(_(?P<id>\d+))?_assignsubmission_[a-z]+(_(?P<file>.*))?", re.S)
CANVAS = re.compile(r"(?P<name>\w+?)(?P<late>_?LATE)?_(?P<id>\d+)_(\d+_(?P<file>.+)|(?P<text>(text|link)\.html))")
CANVAS_ANONYMOUS = re.compile(r"(?P<late>LATE_)?(?P<name>anon)_(?P<id>\w+?)_(\d+_(?P<file>.+)|(?P<text>text\.html))")
BLACKBOARD = re.compile(r"(?P<head>.+_(?P<id>[^_]+))_attempt_(?P<time>\d{4}(-\d\d){5})(_(?P<file>.+)|(?P<text>\.txt))")
BRIGHTSPACE = re.compile(r"(?P<id>\d+)-\d+ ?- ((?P<org>\S*\d\S*) - )?(?P<name>\D+?) ?- "
                         r"(?P<time>\w+ \d+, \d{4} \d+ [AP]M)( ?- (?P<file>.+))?")
JUNK = {"__MACOSX", "Thumbs.db", "desktop.ini"}


class Ungradable(Exception):
    """There is nothing to grade; the message says why."""


class File(NamedTuple):
    """A file that was handed in: in a folder, or in an archive."""

    name: str  # path inside the student's folder
    path: str  # of the file, or of the archive
    member: str = ""  # its name in the archive
    time: str = ""  # of the attempt it belongs to, where the platform tells

    def read(self):
        """Return the bytes; raise Ungradable."""
        if self.member:
            try:
                with zipfile.ZipFile(self.path) as archive:
                    return _member(archive, self.member)
            except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
                raise Ungradable(f"{self.name} cannot be unpacked ({type(error).__name__})") from None
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
    id: str  # the number or name that the platform knows the student by, or ""
    files: tuple
    late: bool = False  # the platform says so
    time: str = ""  # when the last attempt was handed in, where the platform tells
    person: str = ""  # the name without the platform's number
    platform: str = ""


class Inbox(NamedTuple):
    """What was found: submissions, sorted by student, and (path, reason) of what belongs to nobody."""

    submissions: list
    aside: list


class _Owner(NamedTuple):
    student: str
    id: str
    file: str
    late: bool = False
    time: str = ""
    person: str = ""
    platform: str = ""


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


def collect(inbox, name=""):
    """Return what is in a folder or zip; nothing is unpacked or followed. `name` is that of the problem set."""
    inbox = Path(inbox).resolve()
    stray = re.compile(rf"{re.escape(name)}(-(solution|full))?\.ipynb")
    aside, found = [], {}
    if zipfile.is_zipfile(inbox):
        files = _in_archive(inbox)
    elif inbox.is_dir():
        paths, files = sorted(inbox.iterdir()), []
        archives = [path for path in paths if not path.is_symlink() and zipfile.is_zipfile(path)]
        for path in paths:
            inside = _unwrapped(_tidy(_in_archive(path)), [], stray) if path in archives else []
            folders = {entry.split("/")[0] for entry, _ in inside if "/" in entry}
            if _platform(path.name) or not (any(map(_platform, folders)) or any(_platform(entry) for entry, _ in inside)
                                            or len(folders) > 1 and len(paths) == 1):
                files += _walk(path, inbox)
            elif path.with_suffix("").is_dir():
                aside.append((path.name, "it is there unpacked, too"))
            else:
                files += inside  # a bulk download that was put into a folder
    else:
        raise FileNotFoundError(f"{inbox} is neither a folder nor a zip archive")
    files = _unwrapped(_tidy(files), aside, stray)
    users = _blackboard_users(files)
    owned = [(_owner(path, users), path, file) for path, file in files]
    for owner, path, file in owned:
        if "/" not in path and not owner.platform and not owner.student.startswith("outside: "):
            if not _is_work(path):
                aside.append((path, "it belongs to no student"))
                continue
            if stray.fullmatch(path) and any(other.student != owner.student for other, *_ in owned):
                aside.append((path, "it has the name of the problem set, not of a student"))
                continue
        found.setdefault(owner.student, []).append((owner, file))
    return Inbox([_submission(student, found[student]) for student in sorted(found)], aside)


def _submission(student, owned):
    files = [file._replace(name=owner.file, time=owner.time) for owner, file in owned if file]
    worth = [file for file in files if _is_work(file.name)] or files
    first = owned[0][0]
    return Submission(student, next((owner.id for owner, _ in owned if owner.id), ""), tuple(files),
                      any(owner.late for owner, _ in owned), max((file.time for file in worth), default=""),
                      first.person or student, first.platform)


def _is_work(name):
    return bool(NOTEBOOK.fullmatch(name)) or name.lower().endswith(".zip")


def _walk(path, inbox):
    """Yield names and files below a path, links as they are; for an empty folder its name and None."""
    name = path.relative_to(inbox).as_posix()
    try:
        name.encode()
    except UnicodeEncodeError:  # not UTF-8: unpacked from an archive in another encoding
        name = os.fsencode(name).decode("cp1252", "replace")
    name = unicodedata.normalize("NFC", name)
    if not path.is_dir() or path.is_symlink():
        yield name, File("", str(path))
        return
    children = sorted(path.iterdir())
    if not children:
        yield f"{name}/", None
    for child in children:
        yield from _walk(child, inbox)


def _in_archive(path):
    with zipfile.ZipFile(path) as archive:
        entries, files = archive.infolist(), {}
    for entry in entries:
        name = entry.filename
        with suppress(UnicodeError):  # UTF-8 that the archive does not declare
            name = name if entry.flag_bits & 0x800 else name.encode("cp437").decode()
        name = unicodedata.normalize("NFC", name.replace("\\", "/"))
        files[name] = None if entry.is_dir() else File("", str(path), entry.filename)
    return list(files.items())


def _tidy(files):
    """Leave out what systems add; of a folder with nothing else in it the name stays."""
    kept = [(name, file) for name, file in files if not _is_junk(name)]
    for name, _ in files:
        if _is_junk(name):
            parts = name.split("/")
            folder = "".join(f"{part}/" for part in parts[:[_is_junk(part) for part in parts].index(True)])
            if folder and not any(other.startswith(folder) for other, _ in kept):
                kept.append((folder, None))
    return kept


def _unwrapped(files, aside, stray):
    """Take away folders around the students', as archives often have one; say so in `aside`."""
    tops = {}
    for name, file in files:
        tops.setdefault(name.split("/")[0] if "/" in name else "", []).append((name, file))
    result = tops.pop("", [])
    alone = len(tops) == 1 and not any(_is_work(name) and not stray.fullmatch(name) for name, _ in result)
    for top, below in tops.items():
        inner = [(name[len(top) + 1:], file) for name, file in below if name != f"{top}/"]
        deeper = inner if _platform(top) or top in (".", "..") else _unwrapped(inner, [], stray)
        students = {name.split("/")[0] for name, _ in deeper if "/" in name}
        loose = any(_is_work(name) for name, _ in deeper if "/" not in name)
        if not _platform(top) and top not in (".", "..") and (
                any(_platform(name.split("/")[0]) for name, _ in deeper) or alone and len(students) > 1 and not loose):
            aside.append((f"{top}/", "it is a folder around others, not a student's"))
            result += _unwrapped(inner, aside, stray)
        else:
            result += below
    return result


def _is_junk(name):
    return any(part in JUNK or part.startswith(".") and part not in (".", "..") for part in name.split("/"))


def _platform(head):
    return next((match for pattern in (MOODLE, BLACKBOARD, BRIGHTSPACE, CANVAS, CANVAS_ANONYMOUS)
                 if (match := pattern.fullmatch(head))), None)


def _blackboard_users(files):
    """Return user and person by what stands before _attempt_: the name of a set or a user may have underscores, too.

    Blackboard's text beside each file tells; otherwise it is the part in which the names differ.
    """
    matches = {match["head"]: match for name, _ in files if (match := BLACKBOARD.fullmatch(name.split("/")[0]))}
    common = os.path.commonprefix(list(matches))
    users = {head: (head[common.rfind("_") + 1:] if len(matches) > 1 and "_" in common else match["id"], "")
             for head, match in matches.items()}
    for name, file in files:
        match = BLACKBOARD.fullmatch(name)
        if match and match["text"] and file:
            with suppress(Ungradable, OSError):
                told = re.search(r"^Name: (.*) \((.+)\)\s*$", file.read().decode("utf-8", "replace"), re.M)
                if told and match["head"].endswith(f"_{told[2]}"):
                    users[match["head"]] = told[2], told[1]
    return users


def _owner(name, users):
    """Return whose a file is, from its path in the inbox."""
    parts = name.split("/")
    if ".." in parts or parts[0] in ("", ".") or re.match(r"[A-Za-z]:", parts[0]):
        return _Owner(f"outside: {name}", "", name)  # a name that would lead out of the folder
    head, rest = parts[0], "/".join(parts[1:])
    match = _platform(head)
    if not match:
        student = head if len(parts) > 1 else re.sub(r"(\.ipynb(\.\w+)*|\.\w+)$", "", head, flags=re.I)
        return _Owner(student, "", rest or head)
    about = match.groupdict()
    file = rest or about.get("file") or about.get("text") or head
    if match.re is BLACKBOARD:
        user, person = users[about["head"]]
        time = datetime.strptime(about["time"], "%Y-%m-%d-%H-%M-%S").isoformat(" ")
        return _Owner(user, user, head if about["text"] else file, False, time, person or user, "blackboard")
    student = f"{about['name']}_{about['id']}" if about["id"] else about["name"]
    if match.re is BRIGHTSPACE:  # its number is not one by which it imports marks
        time = ""
        with suppress(ValueError):
            month, day, year, clock, half = about["time"].replace(",", "").split()
            time = datetime.strptime(f"{month[:3]} {day} {year} {clock:0>4} {half}", "%b %d %Y %I%M %p").isoformat(" ")
        return _Owner(student, about["org"] or "", file, False, time, about["name"], "brightspace")
    platform = "moodle" if match.re is MOODLE else "canvas"
    return _Owner(student, about["id"] or "", file, bool(about.get("late")), "", about["name"], platform)


def notebook(submission, name, release=None):
    """Return the student's notebook, notes on it, and doubts: what a human should look at; raise Ungradable.

    `name` is that of the problem set, `release` the notebook that was handed out.
    """
    if submission.student.startswith("outside: "):
        raise Ungradable("its name in the archive leads outside of the archive")
    given = {text for cell in release.cells if (text := _text(cell))} if release else set()
    times, attempts, doubts = sorted({file.time for file in submission.files}, reverse=True), [], []
    for time in times:
        read = _read([file for file in submission.files if file.time == time], doubts)
        work = {label: _work(one, given) for label, (one, _) in read.items()}
        attempts += [(time, read, work)] if read else []
        if any(work.values()):
            break
    if not attempts:
        seen = ", ".join(file.name for file in submission.files)
        raise Ungradable(("; ".join(doubts) or (f"no notebooks, but {seen}" if seen else "no notebooks"))[:300])
    time, read, work = attempts[-1] if any(attempts[-1][2].values()) else attempts[0]
    label, why, sure = _choose(work, name)
    chosen, notes = read[label]
    if PurePosixPath(label).name != f"{name}.ipynb":
        notes = [*notes, f"named {PurePosixPath(label).name!r}"]
    (notes if sure else doubts).extend(why)
    if work[label] is None:
        doubts.append(f"{label} holds little of what was handed out: is it of another set?")
    if time != times[0]:
        doubts.append(f"the last attempt ({times[0]}) holds no answers: that of {time} was graded")
    elif len(times) > 1:
        notes.append(f"{len(times) - 1} earlier attempts were left aside")
    more = [file.name for file in submission.files if not _is_work(file.name) and not _says_nothing(file)]
    notes += [f"also handed in: {', '.join(more)}"[:200]] if more else []
    return chosen, notes, doubts


def _read(files, broken):
    """Return {label: (notebook, notes)} of the notebooks in files; why others cannot be read is put into `broken`."""
    read = {}
    for label, content, note in [one for file in files for one in _candidates(file)]:
        while label in read:  # Canvas keeps files of the same name
            label += "'"
        try:
            read[label] = _parse(content(), label), note
        except Ungradable as error:
            broken.append(str(error))
    return read


def _work(notebook, given):
    """Return the texts of a notebook that were not handed out; None if it is not this set's at all."""
    texts = [text for cell in notebook.cells if (text := _text(cell))]
    if 3 * len(given.intersection(texts)) < len(given):
        return None
    return [text for text in texts if text not in given]


def _says_nothing(file):
    """Return whether a file is Blackboard's, and without a word of the student."""
    with suppress(Ungradable, OSError):
        return bool(BLACKBOARD.fullmatch(file.name)) and b"There are no student comments" in file.read()
    return False


def _text(cell):
    return cell.source.replace("\r\n", "\n").strip()


def _candidates(file):
    """Return (label, function that gives the bytes, notes) of each notebook in a file, which may be an archive."""
    if NOTEBOOK.fullmatch(file.name):
        return [(file.name, file.read, [])]
    if not file.name.lower().endswith(".zip"):
        return []

    def refuse(reason):
        def content():
            raise Ungradable(reason)
        return [(file.name, content, [])]

    try:
        content = file.read()
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
    except Ungradable as error:
        return refuse(str(error))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        return refuse(f"{file.name} cannot be unpacked ({type(error).__name__})")
    if any(".." in part.split("/") or part.startswith(("/", "\\")) for part in names):
        return refuse(f"{file.name} holds a name that leads outside of it")

    def member(entry):
        def content_of():
            try:
                with zipfile.ZipFile(io.BytesIO(content)) as archive:
                    return _member(archive, entry)
            except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
                raise Ungradable(f"{file.name} cannot be unpacked ({type(error).__name__})") from None
        return content_of

    return [(f"{file.name}/{entry}", member(entry), [f"taken out of {file.name}"]) for entry in dict.fromkeys(names)
            if NOTEBOOK.fullmatch(entry) and not _is_junk(entry)]


def _choose(work, name):
    """Return the label of the notebook to grade, what is to be said of the choice, and whether it is sure.

    `work` holds for each notebook the texts of cells that are not those handed out, None for that of another set.
    """
    right = re.compile(rf"{re.escape(name)}([ _-]?\(?\d+\)?)?\.ipynb(\.\w+)*'*", re.I)
    order = sorted(work, key=lambda label: (work[label] is None, PurePosixPath(label).name != f"{name}.ipynb",
                                            not right.fullmatch(PurePosixPath(label).name), label.count("/"), label))
    foreign = [label for label in order[1:] if work[label] is None]
    ours = [label for label in order if label not in foreign]
    solved = [label for label in ours if work[label]]
    if len(ours) == 1 or not solved:
        return order[0], _aside(order[1:]), True
    if all(work[label] == work[solved[0]] for label in solved):
        if solved[0] == order[0]:
            return order[0], _aside(order[1:]), True
        return solved[0], [f"{order[0]} is as it was handed out: {solved[0]} was graded"], False
    chosen = order[0] if order[0] in solved and right.fullmatch(PurePosixPath(order[0]).name) else max(
        solved, key=lambda label: sum(map(len, work[label])))
    return chosen, [f"{len(solved)} notebooks with different answers: {chosen} was graded, not "
                    f"{', '.join(label for label in solved if label != chosen)}"[:300]], False


def _aside(labels):
    return [f"left aside: {', '.join(labels)}"[:200]] if labels else []


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
        if re.search(r"\\ud[89a-f]", text, re.I):  # half of a pair, which cannot be written, becomes a question mark
            data = json.loads(json.dumps(data, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise Ungradable(f"{name} is not JSON: damaged, cut off, or not a notebook") from None
    try:
        sheets = data["worksheets"] if "worksheets" in data else [data]  # until format 3
        for cell in [cell for sheet in sheets for cell in sheet["cells"]]:
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
            cell.source = cell.source.replace("\r\n", "\n")
        return data
    except Exception as error:  # noqa: BLE001 -- whatever a file that is no notebook may do
        raise Ungradable(f"{name} is JSON, but not a notebook ({type(error).__name__})") from None
