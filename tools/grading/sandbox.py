"""How the kernel of a student's notebook is started: in bubblewrap, which shows it almost nothing.

Inside there is no network and no other process. Of the file system there are, for reading, the system's programs and
libraries, the Python environment, and ntk_helpers; for writing, an empty folder in memory, and the folder of the
kernel's sockets. Not the course, not the other students, not even the student's own notebook.
"""
import json
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
    def cpu(self):
        """Seconds of processor time: enough for a few cells that never end."""
        return 5 * self.cell

    @property
    def wall(self):
        """Seconds until everything is stopped."""
        return 12 * self.cell


def available():
    """Return None if the sandbox works here, else why it does not."""
    import subprocess

    if sys.platform != "linux":
        return "bubblewrap exists on Linux only"
    if not shutil.which("bwrap"):
        return "bubblewrap is not installed (Debian, Ubuntu: apt install bubblewrap)"
    tried = subprocess.run([*_bubblewrap(), "true"], capture_output=True, text=True, check=False)
    return None if tried.returncode == 0 else f"bubblewrap does not work here ({tried.stderr.strip()[:200]})"


def write_kernelspec(runtime, limits, sandboxed):
    """Write the kernelspec `python3` into the folder `runtime`; return the environment variables that find it."""
    environment = {
        "PATH": f"{sys.prefix}/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONWARNINGS": "ignore",
        "HOME": "/desk", "IPYTHONDIR": "/desk/.ipython", "MPLCONFIGDIR": f"{runtime}/matplotlib", "MPLBACKEND": "agg",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1",
        "NBGRADER_EXECUTION": "autograde", "GRADE_MEMORY": str(limits.memory), "GRADE_CPU": str(limits.cpu)}
    command = [sys.executable, str(KERNEL), "{connection_file}"]
    spec = {"display_name": "Python 3", "language": "python", "interrupt_mode": "message", "argv": command}
    if sandboxed:
        environment["PYTHONPATH"] = str(notebooks.ROOT)  # where there is nothing inside but the package
        settings = [part for name, value in environment.items() for part in ("--setenv", name, value)]
        spec["argv"] = [*_bubblewrap("--bind", str(runtime), str(runtime)), *settings, *command]
    else:
        del environment["HOME"], environment["PATH"], environment["IPYTHONDIR"]
        spec["env"] = environment | {"PYTHONPATH": ""}
    folder = Path(runtime, "kernels", "python3")
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    _copy_font_list(Path(runtime, "matplotlib"))
    return {"JUPYTER_PATH": str(runtime), "JUPYTER_RUNTIME_DIR": str(runtime), "TMPDIR": str(runtime)}


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
    places = [sys.base_prefix, sys.prefix, python.resolve().parent.parent, notebooks.ROOT / "ntk_helpers", KERNEL]
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
