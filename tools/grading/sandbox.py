"""How the kernel of a student's notebook is started: in bubblewrap, which shows it almost nothing.

Inside there is no network and no other process. Of the file system there are, for reading, the system's programs and
libraries, the Python environment, and the packages; for writing, an empty folder in memory, and the folder of the
kernel's sockets. Not the course, not the other students, not even the student's own notebook.
"""
import os
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import notebooks

KERNEL = Path(__file__).with_name("kernel.py")


class Limits(NamedTuple):
    """Bounds of one submission."""

    cell: int = 30  # seconds for a cell, then it is interrupted
    memory: int = 2 * 2**30  # bytes: of a process, and of all processes of the submission together
    folder: int = 200 * 2**20  # bytes written
    processes: int = 40

    @property
    def wall(self):
        """Seconds after which no more cells are run: two minutes at least, as a new kernel needs some to start."""
        return max(12 * self.cell, 120)


def available():
    """Return None if the sandbox works here, else why it does not."""
    import subprocess

    if sys.platform != "linux":
        return "bubblewrap exists on Linux only"
    if not shutil.which("bwrap"):
        return "bubblewrap is not installed (Debian, Ubuntu: apt install bubblewrap)"
    tried = subprocess.run([*_bubblewrap(), "true"], capture_output=True, text=True, check=False)
    return None if tried.returncode == 0 else f"bubblewrap does not work here ({tried.stderr.strip()[:200]})"


def kernel(folder, limits, sandboxed, tests):
    """Return command and environment of a kernel that may write into a folder, and knows tests by their hashes."""
    environment = {
        "PATH": f"{sys.prefix}/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONWARNINGS": "ignore",
        "HOME": "/desk", "IPYTHONDIR": "/desk/.ipython", "MPLCONFIGDIR": f"{folder}/matplotlib", "MPLBACKEND": "agg",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1",
        "NBGRADER_EXECUTION": "autograde", "GRADE_MEMORY": str(limits.memory), "GRADE_CPU": str(limits.wall),
        "GRADE_TESTS": " ".join(tests)}
    _copy_font_list(Path(folder, "matplotlib"))
    command = [sys.executable, str(KERNEL), "{connection_file}"]
    if not sandboxed:
        del environment["HOME"], environment["PATH"], environment["IPYTHONDIR"]
        return command, environment | {"PYTHONPATH": ""}
    environment["PYTHONPATH"] = str(notebooks.ROOT)  # where there is nothing inside but the package
    settings = [part for name, value in environment.items() for part in ("--setenv", name, value)]
    return [*_bubblewrap("--bind", folder, folder), *settings, *command], {}


def _bubblewrap(*more):
    """Return the command that starts another one inside; ``more`` is mounted, too."""
    command = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv",
               "--proc", "/proc", "--dev", "/dev", "--size", str(2**26), "--tmpfs", "/tmp",
               "--size", str(2**27), "--tmpfs", "/desk"]
    for path in map(Path, ("/usr", "/bin", "/lib", "/lib64")):
        if path.is_symlink():
            command += ["--symlink", os.readlink(path), str(path)]
        elif path.exists():
            command += ["--ro-bind", str(path), str(path)]
    python = Path(sys.executable)
    places = [sys.base_prefix, sys.prefix, python.resolve().parent.parent, *notebooks.PACKAGES, KERNEL]
    for path in dict.fromkeys(map(str, places)):
        if not path.startswith("/usr/"):
            command += ["--ro-bind", path, path]
    return [*command, *more, "--remount-ro", "/", "--chdir", "/desk"]


def _copy_font_list(folder):
    """Spare each kernel the search for fonts, which takes matplotlib seconds."""
    import matplotlib

    folder.mkdir()
    for path in Path(matplotlib.get_cachedir()).glob("fontlist-*.json"):
        shutil.copy(path, folder)
