"""Where a Chromium-like browser may be found, and how it is started: for `make pdf` and for the tests."""
import os
import shutil
import sys

COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
PLACES = [f"/Applications/{name}.app/Contents/MacOS/{name}"
          for name in ("Google Chrome", "Chromium", "Microsoft Edge")]
PLACES += [os.path.join(os.environ.get(folder, ""), vendor, "Application", program)
           for folder in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")
           for vendor, program in ((r"Google\Chrome", "chrome.exe"), (r"Microsoft\Edge", "msedge.exe"))]
# Without a sandbox, as containers have none to offer, and without the requests a browser makes for itself.
OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
           "--disable-background-networking", "--disable-component-update")


def find():
    """Return the path of a browser (that of the environment variable CHROMIUM, if set), or None."""
    found = [os.environ.get("CHROMIUM"), *map(shutil.which, COMMANDS), *filter(os.path.isfile, PLACES)]
    return next(filter(None, found), None)


def find_or_tell(purpose):
    """Return the path of a browser; where there is none, say in one line what it would be needed to do."""
    program = find()
    if not program:
        print(f"No Chromium, Chrome or Edge was found to {purpose} with; set CHROMIUM to the path of one.",
              file=sys.stderr)
    return program
