#!/usr/bin/env bash
# math-core 0.9.0 (TeX to MathML Core) raises LatexError for commands it does not know, so one expects an exception for
# whatever it cannot express. Three constructions of LaTeX come out wrong without one:
#   \\[2ex] in aligned     the optional argument is printed: the next row begins with the text "[2ex]"
#   \overline{x+y}         U+0332 (a combining low line) as the operator over the formula, instead of a bar
#   \mathcal{L}            U+2112 followed by U+FE00, a variation selector that few fonts know
# Seen with Python 3.11: "<mo ...>[</mo><mn>2</mn><mi>e</mi><mi>x</mi>", "&#x332;", "&#x2112;&#xfe00;".
# What to do: look at the output, not only for exceptions.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet math-core==0.9.0
"$folder/env/bin/python" - <<'PY'
from math_core import LatexToMathML

convert = LatexToMathML().convert_with_local_state
rows = convert(r"\begin{aligned}a&=b\\[2ex]c&=d\end{aligned}", displaystyle=True)
bar = convert(r"\overline{x+y}", displaystyle=True)
script = convert(r"\mathcal{L}", displaystyle=True)
print(ascii(rows), ascii(bar), ascii(script), sep="\n")
assert "<mn>2</mn><mi>e</mi><mi>x</mi>" in rows, "the optional argument of \\\\ is no longer printed"
assert "\u0332" in bar, "an overline is no longer a combining low line"
assert "\u2112\ufe00" in script, "a script letter is no longer followed by a variation selector"
PY
