#!/usr/bin/env bash
# nbgrader 0.9.6 takes the value of a test cell's last line for partial credit. It reads the *text* of the value, so:
#   False, or np.float64(0.5) as NumPy 2 writes it     is no number for it: full marks
#   a number above the maximum of the cell             ValueError: autograding drops the whole submission
#   anything written to stderr (a warning)             no marks, though the test passed
# Seen with Python 3.11. What to do: end each test with an assert or an assignment, never with an expression.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet nbgrader==0.9.6 numpy==2.4.6
"$folder/env/bin/python" - <<'PY'
import nbformat
import numpy as np
from nbgrader.utils import determine_grade


def points(*outputs):
    about = {"grade": True, "solution": False, "locked": True, "task": False, "grade_id": "t", "points": 2}
    cell = nbformat.v4.new_code_cell("test", outputs=list(outputs), metadata={"nbgrader": about})
    return determine_grade(cell)[0]


def value(number):
    return nbformat.v4.new_output("execute_result", data={"text/plain": repr(number)})


for number in (False, np.False_, np.float64(0.5), 0.5):
    print(f"{number!r}: {points(value(number))} of 2")
assert points(value(0.5)) == 0.5
assert points(value(False)) == points(value(np.False_)) == points(value(np.float64(0.5))) == 2, "read as values now"
try:
    points(value(3))
    raise SystemExit("a value above the maximum is no error any more")
except ValueError as error:
    print("3:", error)
assert points(nbformat.v4.new_output("stream", name="stderr", text="a warning")) == 0, "stderr costs nothing now"
PY
