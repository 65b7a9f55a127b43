"""Make .venv and install requirements.txt into it:  python tools/bootstrap.py

Standard library only; any Python since 2.7 gets as far as find_python(), to say in one line what is missing.
Nothing to do takes milliseconds. Whatever goes wrong ends in one line, and never leaves a half-made .venv.
"""
# Old Pythons must be able to read this file:
# ruff: noqa: UP010, UP024, UP031, UP036
from __future__ import print_function

import contextlib
import errno
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

# Every pinned package has a wheel for these (make wheels); the first is asked of uv where there is no Python.
VERSIONS = ("3.13", "3.12", "3.11", "3.14", "3.15")
ALL = "Python 3.11 to 3.15"

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))
LOCK = os.path.join(ROOT, "requirements.txt")
MADE = os.path.join(VENV, "bootstrap.made")            # written first: this .venv is ours to delete
INSTALLED = os.path.join(VENV, "bootstrap.installed")  # written last: fingerprint of what it holds

PROBE = """
import sys
print("%d.%d" % sys.version_info[:2])
print(getattr(sys, "_base_executable", sys.executable))  # not the .venv that may have to be deleted
import ensurepip, venv
"""

# What pip or venv says, and what it means.
UNREACHABLE = (r"NewConnectionError|NameResolutionError|(Connect|Read)Timeout|Read timed out|ProxyError"
               r"|SSLError|ConnectionError|Connection (refused|reset|aborted)|Max retries exceeded")
CAUSES = (
    (r"No space left on device", "the disk is full (about 2 GB are needed)"),
    (r"Permission denied|Read-only file system|Access is denied", "no permission to write there"),
    (UNREACHABLE, "the package index does not answer; check the network, or pip's index and proxy settings"),
    (r"No matching distribution found for (\S+)", r"the package index has no \1 for this Python and machine"),
)


class Stop(Exception):
    """Ends the program with its message as the one line."""


def main():
    """Bring .venv up to date; return the exit code."""
    try:
        if sys.version_info < (3, 11):
            return subprocess.call([find_python(), __file__])
        if not up_to_date():
            with only_one():
                if not up_to_date():
                    set_up()
        return 0
    except Stop as error:
        message, code = str(error), 1
    except OSError as error:
        hint = "free about 2 GB" if error.errno == errno.ENOSPC else "make this folder writable for you"
        message, code = "Could not set up .venv: %s. Please %s and try again." % (error, hint), 1
    except KeyboardInterrupt:
        message, code = "Interrupted: start again at any time.", 130
    print(message, file=sys.stderr)
    return code


def up_to_date():
    return os.path.exists(PYTHON) and read(INSTALLED) == fingerprint()


def fingerprint():
    """Hash of all that an installation depends on: the lock, the place, the Python behind .venv."""
    parts = [read(LOCK), read(os.path.join(ROOT, "pyproject.toml")), ROOT, os.path.realpath(PYTHON)]
    return hashlib.sha256(repr(parts).encode("utf-8")).hexdigest()


@contextlib.contextmanager
def only_one():
    """Wait for any other bootstrap of this project, and for the pip that a killed one left running."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with open(__file__) as this_file:
        os.set_inheritable(this_file.fileno(), True)  # pip holds the lock too, until it ends
        try:
            fcntl.flock(this_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another bootstrap of this project to end.", flush=True)
            fcntl.flock(this_file, fcntl.LOCK_EX)
        except OSError:
            pass  # a network file system without locks
        yield


def set_up():
    """Make or remake .venv where that is needed, then install; undo everything on failure."""
    # An empty folder is ours too: a kill can fall between making it and marking it.
    ours = os.path.exists(MADE) or (os.path.isdir(VENV) and not os.listdir(VENV))
    version = probe(PYTHON)[0]
    base = None
    if ours and not (os.path.exists(INSTALLED) and read(MADE) == ROOT and fits(version)):
        base = find_python()
        print("Removing a .venv that is unfinished, moved, or of another Python.")
        remove_venv()
    elif not os.path.lexists(VENV):
        base = find_python()
    elif not fits(version):
        raise Stop("%s is in the way: it is not an environment of %s. Move it away and try again." % (VENV, ALL))

    before = read(INSTALLED)
    progress = Progress()
    log = open_log()
    try:
        if base:
            os.mkdir(VENV)
            write(MADE, ROOT)
            print("Making .venv with Python %s." % probe(base)[0], flush=True)
            run([base, "-m", "venv", VENV], log)
        elif before:
            os.remove(INSTALLED)
        if subprocess.call([PYTHON, "-c", "import pip"], stderr=subprocess.DEVNULL, env=environment()):
            run([PYTHON, "-m", "ensurepip"], log)
        asked = fingerprint()  # before pip reads the lock: who edits it meanwhile must not be told that all is there
        run([PYTHON, "-m", "pip", "install", "--progress-bar", "off", "-r", LOCK], log, progress)
        write(INSTALLED, asked)
    except BaseException:
        progress.end()
        if os.path.exists(MADE) and (progress.installing or not before):
            print("Removing the half-made .venv.", flush=True)
            remove_venv()
        elif before:  # pip had not changed anything yet
            write(INSTALLED, before)
        raise
    finally:
        log.close()
    progress.end()
    print(".venv is ready.")


def fits(version):
    return version in VERSIONS or is_newer(version)


def is_newer(version):
    return bool(version) and number(version) > max(map(number, VERSIONS))


def number(version):
    return tuple(map(int, version.split(".")))


def find_python():
    """Return the path of a Python that can make environments: this one if possible, or else one that uv brings."""
    commands = [(sys.executable,)] + [("python" + v,) for v in VERSIONS]
    if os.name == "nt":
        commands += [("py", "-" + v) for v in VERSIONS]
    incomplete = newer = None
    for command in commands:
        version, path, complete = probe(*command)
        if version in VERSIONS and complete:
            return path
        if version in VERSIONS:
            incomplete = incomplete or (version, path, version)
        elif is_newer(version) and complete:
            newer = version, path
    path = from_uv()
    if path:
        return path
    if newer:
        print("Python %s is newer than what the pinned packages were made for (%s): trying." % (newer[0], ALL))
        return newer[1]
    if incomplete:
        raise Stop("Python %s (%s) cannot make environments: install its venv module "
                   "(Debian, Ubuntu: apt install python%s-venv) and try again." % incomplete)
    raise Stop("%s is needed, and only %d.%d was found: install one, or uv, and try again."
               % ((ALL,) + sys.version_info[:2]))


def from_uv():
    """Return the path of a Python that uv finds or downloads, or None."""
    for arguments in (("install", VERSIONS[0]), ("find", "--system", VERSIONS[0])):
        try:
            process = subprocess.Popen(("uv", "python") + arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       universal_newlines=True)
        except (OSError, IOError):
            return None
        path = process.communicate()[0].strip()
    return path if process.returncode == 0 and probe(path)[2] else None


def probe(*command):
    """Return a Python's version, the path of its base interpreter, and whether it can make environments."""
    try:
        process = subprocess.Popen(command + ("-c", PROBE), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=environment(), universal_newlines=True)
    except (OSError, IOError):
        return None, None, False
    lines = process.communicate()[0].splitlines()
    if len(lines) != 2:
        return None, None, False
    return lines[0], lines[1], process.returncode == 0


def environment():
    """Return the environment of child processes: patient for seconds, not minutes; nothing of the user's."""
    env = dict(os.environ, PIP_RETRIES="2", PIP_DEFAULT_TIMEOUT="10", PIP_USER="0", PIP_NO_INPUT="1",
               PIP_DISABLE_PIP_VERSION_CHECK="1", PYTHONUNBUFFERED="1", PYTHONIOENCODING="utf-8")
    for name in ("PYTHONPATH", "PYTHONHOME"):
        env.pop(name, None)
    return env


def run(command, log, on_line=None):
    """Run a command with its output in the log; raise Stop with the cause if it fails."""
    start = log.tell()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT, text=True,
                               encoding="utf-8", errors="replace", env=environment(), close_fds=False)
    try:
        for line in process.stdout:
            log.write(line)
            log.flush()
            if on_line:
                on_line(line)
    except BaseException:
        process.terminate()
        raise
    finally:
        process.stdout.close()
        process.wait()
    if process.returncode:
        log.seek(start)
        output = log.read()
        cause = (output.split("\n\n")[-1].strip() or "no reason given").splitlines()[-1]
        for pattern, meaning in CAUSES:
            match = re.search(pattern, output)
            if match:
                cause = match.expand(meaning)
                break
        raise Stop("Could not set up .venv: %s. Full output: %s" % (cause.rstrip("."), log.name))


class Progress:
    """Reads pip's output and shows how many packages are collected: one line kept up to date, or a few."""

    def __init__(self):
        with open(LOCK, encoding="utf-8") as lock:
            self.total = sum(not re.match(r"\s*(#|$)", line) for line in lock)
        self.seen = set()
        self.installing = False

    def __call__(self, line):
        requirement = re.search(r"\(from -r .*\(line (\d+)\)\)", line)
        if line.startswith("Ignoring "):  # a package for another system
            self.total -= 1
        elif line.startswith("Installing collected packages"):
            self.installing = True
            self.show("Installing packages: %d (up to a minute)." % (line.count(",") + 1), True)
        elif requirement and requirement.group(1) not in self.seen:
            self.seen.add(requirement.group(1))
            count = len(self.seen)
            self.show("Collecting packages: %d of %d." % (count, self.total), count % 50 == 1)

    def show(self, text, milestone):
        if sys.stdout.isatty():
            print("\r" + text.ljust(60), end="", flush=True)
        elif milestone:
            print(text, flush=True)

    def end(self):
        """Leave the line that was kept up to date."""
        if sys.stdout.isatty() and self.seen:
            print()


def open_log():
    """Open a log in _build, or in the system's temporary folder where that is impossible."""
    try:
        folder = os.path.join(ROOT, "_build")
        os.makedirs(folder, exist_ok=True)
        return open(os.path.join(folder, "bootstrap.log"), "w+", encoding="utf-8")
    except OSError:
        return open(tempfile.mkstemp(".log", "bootstrap-")[1], "w+", encoding="utf-8")


def remove_venv():
    """Delete .venv, our mark last: a removal that is cut short is taken up by the next try."""
    for entry in os.scandir(VENV):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        elif entry.path != MADE:
            os.remove(entry.path)
    shutil.rmtree(VENV)


def read(path):
    """Return a file's text, or None if there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return None


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    sys.exit(main())
