"""Make the picture of README.md, a figure of the built book as a browser shows it: python tools/picture.py"""
import sys

import chromium
from playwright.sync_api import sync_playwright

import book

PICTURE = book.ROOT / "book" / "_static" / "double-descent.png"
PAGE, FIGURE = "book/02-double-descent.html", "#fig-dd-digits .panels"


def main():
    """Make the picture; return the exit code."""
    program = chromium.find_or_tell("draw")
    code = book.main() if program else 1
    if code:
        return code
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=chromium.OPTIONS)
        page = browser.new_page(viewport={"width": 1280, "height": 900}, device_scale_factor=2)
        page.goto((book.HTML / PAGE).as_uri())
        page.locator(FIGURE).screenshot(path=PICTURE)
    print(f"Look at {PICTURE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
