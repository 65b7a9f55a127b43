"""Execute what has to be executed, build the book strictly into _build/html, and say where to open it.

    python tools/book.py
"""
import shutil
import subprocess
import sys
import time

import notebooks
import problem_sets

ROOT = notebooks.ROOT
BUILD = ROOT / "_build"
HTML = BUILD / "html"
BUILT = BUILD / "built"  # the set-up of which html is a complete build without warnings

JUPYTER_BOOK = """
import sys
from jupyter_book.cli.main import main
from sphinx.util.console import nocolor
if not sys.stderr.isatty():
    nocolor()
try:
    main()
except RuntimeError as error:  # Sphinx has told the cause already, with its traceback
    sys.exit(str(error))
"""


def setup_hash():
    """Return a hash of what Sphinx does not watch, but every page depends on."""
    files = [ROOT / name for name in ("_config.yml", "_toc.yml", "requirements.txt")]
    files += [*(ROOT / "tools").glob("*.py"), *(ROOT / "book").glob("*.bib")]
    return notebooks.hash_files(files, sys.version_info[:2])


def build():
    """Run Jupyter Book; return its exit code."""
    setup = setup_hash()
    if not BUILT.exists() or BUILT.read_text() != setup:
        # Also after a failure: Sphinx does not repeat the warnings of a page it has already read.
        shutil.rmtree(HTML, ignore_errors=True)
        shutil.rmtree(BUILD / ".doctrees", ignore_errors=True)
    BUILT.unlink(missing_ok=True)
    command = [sys.executable, "-c", JUPYTER_BOOK, "build", str(ROOT), "-W", "-n", "--keep-going", "-q"]
    # Warnings and errors come on stderr; stdout only holds a banner, with advice that does not fit here.
    code = subprocess.call(command, stdout=subprocess.DEVNULL, cwd=ROOT, env=notebooks.kernel_environment())
    if code == 0:
        missing = [page for page in ("index", *notebooks.pages()) if not (HTML / f"{page}.html").exists()]
        if not missing:
            BUILT.write_text(setup)
            return 0
        print(f"These pages of _toc.yml were not built: {', '.join(missing)}.", file=sys.stderr)
    return code or 1


def main():
    """Make the book; return the exit code."""
    code = notebooks.main(["run"])
    if code:
        return code
    print("Building the pages.", flush=True)
    start = time.monotonic()
    try:
        for name in problem_sets.sets():  # the page of the problem sets offers them for download
            problem_sets.make_release(name)
        code = build()
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    if code:
        print("The book was not built: see above.", file=sys.stderr)
        return code
    print(f"Built in {time.monotonic() - start:.0f} s. Open {HTML / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
