#!/usr/bin/env bash
# Chromium (seen: Debian's 156.0.8078.108, driven by playwright 1.65.2) and two standards that a page of formulas and
# figures leans on:
#   MathML    <annotation encoding="application/x-tex"> and the attribute alttext are where converters put the TeX
#             source. Neither is in the accessibility tree (CDP Accessibility.getFullAXTree); aria-label is.
#   SVG       a marker is not drawn on a path that is a single "moveto" (<path d="M10 10" marker-start="...">), though
#             the vertex is there; "M10 10 10 10" draws it. Plotting programs write a legend's dot as such a path.
# Needs a Chromium on the PATH or in the variable CHROMIUM.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet playwright==1.65.2
CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v google-chrome)} "$folder/env/bin/python" - <<'PY'
import os

from playwright.sync_api import sync_playwright

PAGE = r"""<!doctype html><title>x</title>
<math alttext="SOURCE-A"><mi>a</mi></math>
<math><semantics><mi>b</mi><annotation encoding="application/x-tex">SOURCE-B</annotation></semantics></math>
<math aria-label="SOURCE-C"><mi>c</mi></math>
<svg width="40" height="20" style="position: fixed; left: 0; top: 0; background: white">
<marker id="dot" overflow="visible" markerUnits="userSpaceOnUse"><path d="M-4-4h8v8h-8z" fill="black"/></marker>
<path d="%s" marker-start="url(#dot)"/></svg>"""
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=["--no-sandbox"])
    tab = browser.new_page()
    pictures = []
    for path in ("", "M10 10", "M10 10 10 10"):
        tab.set_content(PAGE % path)
        pictures.append(tab.screenshot(clip={"x": 0, "y": 0, "width": 40, "height": 20}))
    tree = str(tab.context.new_cdp_session(tab).send("Accessibility.getFullAXTree"))
    print(browser.version)
    browser.close()
seen = [name for name in ("SOURCE-A", "SOURCE-B", "SOURCE-C") if name in tree]
print("in the accessibility tree:", seen)
print("a single moveto draws its marker:", pictures[0] != pictures[1], "- two points do:", pictures[0] != pictures[2])
assert seen == ["SOURCE-C"], "alttext or annotation is exposed now"
assert pictures[0] == pictures[1] != pictures[2], "a single moveto draws its marker now"
PY
