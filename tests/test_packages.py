"""The shape of the packages: what teaches is small, and does not draw."""

import ast
import graphlib
import subprocess
import sys

from notebooks import ROOT


def lines(package):
    return [path.read_text(encoding="utf-8").count("\n") for path in (ROOT / package).rglob("*.py")]


def test_they_can_be_read_in_an_evening():
    assert sum(lines("ntk_helpers")) <= 3000
    assert max(lines("ntk_helpers") + lines("ntk_figures")) <= 300


def imports(path):
    """Return what a module asks for, inside functions too, in full: ``ntk_helpers.kernels``, ``numpy.polynomial``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = ".".join(filter(None, [path.parent.name if node.level else "", node.module]))
            inner = [f"{module}.{name.name}" for name in node.names]
            yield from (name if (ROOT / f"{name.replace('.', '/')}.py").exists() else module for name in inner)


def test_modules_build_upon_each_other():
    needs = {f"{path.parent.name}.{path.stem}".removesuffix(".__init__"): set(imports(path))
             for path in ROOT.glob("ntk_*/*.py")}
    assert "ntk_helpers.kernels" in needs["ntk_helpers.layers"]
    drawing = {"ntk_figures", "matplotlib", "ipywidgets", "IPython"}
    assert not [module for module, names in needs.items() if module.startswith("ntk_helpers")
                and drawing & {name.partition(".")[0] for name in names}]
    graphlib.TopologicalSorter(needs).prepare()  # a CycleError names the modules


def test_what_teaches_loads_numpy_only():
    code = ("import sys; before = set(sys.modules); import ntk_helpers;"
            "print(*{name.partition('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"ntk_helpers", "numpy"}
