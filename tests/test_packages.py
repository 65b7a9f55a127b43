"""The shape of the packages: what teaches is small, and does not draw."""

import ast
import graphlib
import subprocess
import sys

from notebooks import ROOT


def lines(package):
    return {path.stem: path.read_text(encoding="utf-8").count("\n") for path in (ROOT / package).glob("*.py")}


def test_they_can_be_read_in_an_evening():
    assert sum(lines("ntk_helpers").values()) <= 3000
    assert max((lines("ntk_helpers") | lines("ntk_figures")).values()) <= 300


def test_modules_build_upon_each_other():
    """Without cycles, imports inside functions counted."""
    needs = {}
    for path in ROOT.glob("ntk_*/*.py"):
        module = f"{path.parent.name}.{path.stem}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                package = path.parent.name if node.level else node.module.partition(".")[0]
                inner = node.module if node.level else node.module.partition(".")[2]
                names = [inner] if inner else [name.name for name in node.names]
                needs.setdefault(module, set()).update(
                    f"{package}.{name}" for name in names if (ROOT / package / f"{name}.py").exists())
    assert "ntk_helpers.kernels" in needs["ntk_helpers.layers"]
    assert not [module for module in needs if "helpers" in module and "figures" in " ".join(needs[module])]
    graphlib.TopologicalSorter(needs).prepare()  # a CycleError names the modules


def test_what_teaches_loads_numpy_only():
    code = "import sys, ntk_helpers; print(*{name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {name for name in done.stdout.split() if not name.startswith("_")} == {"ntk_helpers", "numpy"}
