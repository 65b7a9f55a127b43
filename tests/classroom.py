"""A class to try the grader on: honest and other submissions of one problem set, each with what it should get."""
import copy
import io
import json
import re
import zipfile
from pathlib import Path

import nbformat
import problem_sets

SPY = """
import os, pathlib, socket
def reaches(what, attempt):
    try:
        found = attempt()
    except OSError:
        found = None
    if found:
        print("SPY", what, found)
for path in {paths!r}:
    reaches("sees", lambda: os.path.exists(path) and path)
    reaches("lists", lambda: [name for name in os.listdir(path) if not os.path.isdir(f"{{path}}/{{name}}")] and path)
    reaches("writes", lambda: pathlib.Path(path, "spy").write_text("x") and path)
reaches("network", lambda: socket.create_connection(("127.0.0.1", {port}), timeout=2) and "host")
reaches("environment", lambda: [name for name in os.environ if "SECRET" in name or "PYTEST" in name])
reaches("processes", lambda: [pid for pid in os.listdir("/proc") if pid.isdigit() and b"pytest" in
                              pathlib.Path("/proc", pid, "cmdline").read_bytes()])
reaches("own notebook", lambda: [str(p) for p in pathlib.Path(".").resolve().rglob("*.ipynb")])
print("SPY done")
"""

STRIP_ASSERTS = """
import ast
class Strip(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.copy_location(ast.Pass(), node)
get_ipython().ast_transformers.append(Strip())
"""


class Class:
    """Builds the inbox; `expected` holds for each student status, lost questions, and a pattern of the reason."""

    def __init__(self, name, inbox, paths=(), port=0):
        self.name, self.inbox = name, Path(inbox)
        source = problem_sets.source(name)
        self.release = problem_sets.release(source)
        self.answers = {cell.id: cell.source for cell in source.cells if cell.metadata.nbgrader.solution}
        self.points = {}
        for cell in source.cells:
            question = re.sub(r"-(check|hidden-\d+)$", "", cell.id)
            if cell.cell_type == "code" and cell.metadata.nbgrader.grade and cell.id != "integrity":
                self.points[question] = self.points.get(question, 0) + cell.metadata.nbgrader.points
        self.q, self.other = list(self.points)[:2]  # two questions of code, which no given cell uses
        self.spy = SPY.format(paths=[str(path) for path in paths], port=port)
        self.expected = {}

    def head(self):
        """Return the first line of the answer that the wrong ones change."""
        return re.search(r"^def .*:$", self.answers[self.q], re.M)[0]

    def solved(self):
        """Return the notebook of a student who knows everything."""
        notebook = copy.deepcopy(self.release)
        for cell in notebook.cells:
            if cell.id in self.answers:
                cell.source = self.answers[cell.id]
        return notebook

    def with_body(self, body):
        """Return a solved notebook with another body of one function."""
        notebook = self.solved()
        self.cell(notebook, self.q).source = f"{self.head()}\n    {body}"
        return notebook

    def with_cell(self, source, place=1):
        """Return a solved notebook with one more cell."""
        notebook = self.solved()
        notebook.cells.insert(place, nbformat.v4.new_code_cell(source))
        return notebook

    @staticmethod
    def cell(notebook, name):
        return next(cell for cell in notebook.cells if cell.id == name)

    def add(self, student, content, status, reason="", lost=(), file=None):
        """Hand in a notebook, a text or bytes."""
        folder = self.inbox / student
        folder.mkdir(parents=True)
        if content is not None:
            content = content if isinstance(content, (str, bytes)) else nbformat.writes(content)
            content = content.encode() if isinstance(content, str) else content
            (folder / (file or f"{self.name}.ipynb")).write_bytes(content)
        self.expected[student] = status, lost, reason

    def fill(self):
        everything, q = tuple(self.points), (self.q,)
        text = nbformat.writes(self.solved())

        self.add("correct", self.solved(), "graded")
        self.add("unsolved", copy.deepcopy(self.release), "graded", lost=everything)
        self.add("wrong", self.with_body("return 1e3"), "graded", lost=q)
        self.add("syntax-error", self.with_body("return ("), "graded", lost=q)
        self.add("loop", self.with_body("while True: pass"), "graded", f"stopped after .* s: {self.q}-check", q)
        self.add("loop-that-catches", self.with_body("""while True:
        try:
            while True: sum(range(1000))
        except BaseException: pass"""), "graded|crashed", "stopped after|does not end|kernel died", q)
        self.add("loop-that-ignores", self.with_body("import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
                 "    while True: pass"), "crashed", "does not end|kernel died|stopped after", everything)
        self.add("exit", self.with_body("import os; os._exit(0)"), "crashed", "the kernel died", everything)
        self.add("memory", self.with_body("return [np.ones(10**8) for _ in range(30)]"), "graded", lost=q)
        self.add("children", self.with_cell("import subprocess, time\n[subprocess.Popen(['sleep', '99']) for _ in "
                                            "range(60)]\ntime.sleep(30)"), "crashed", "more than 40 processes",
                 everything)
        self.add("flood", self.with_cell("for _ in range(200_000): print('x' * 80)"), "graded")
        self.add("input", self.with_cell("name = input('your name? ')"), "graded")

        notebook = self.solved()
        notebook.cells = [cell for cell in notebook.cells if not cell.id.startswith(f"{self.q}-")]
        self.add("tests-deleted", notebook, "graded", f"put back: {self.q}-check")
        notebook = self.solved()
        notebook.cells.remove(self.cell(notebook, self.q))
        self.add("answer-deleted", notebook, "review", f"no cell for the answer to {self.q}", q)
        notebook = self.solved()
        notebook.cells.insert(2, copy.deepcopy(self.cell(notebook, self.q)))
        notebook.cells[2].source = f"{self.head()}\n    return 1e3"
        self.add("answer-twice", json.dumps(notebook), "review", f"two cells for {self.q}: the last one counts")
        notebook = self.solved()
        notebook.cells.reverse()
        self.add("reversed", notebook, "graded", "put back in order")
        notebook = self.solved()
        cell = self.cell(notebook, self.q)
        cell.cell_type = "markdown"
        for key in ("outputs", "execution_count"):
            cell.pop(key)
        self.add("retyped", notebook, "review", f"{self.q} is markdown, not code")
        notebook = self.with_body("return 1e3")
        for cell in notebook.cells:
            if cell.id.startswith(f"{self.q}-"):
                cell.source, cell.metadata.nbgrader.points, cell.metadata.nbgrader.locked = "pass", 100, False
        self.add("tests-edited", notebook, "graded", f"put back as it was: {self.q}-check", q)
        notebook = self.with_cell("x = 1")
        for cell in notebook.cells:
            cell.metadata.pop("nbgrader", None)
        self.add("metadata-lost", notebook, "graded", "put back as it was|^$")

        self.add("numpy-patched", self.with_cell("import numpy\nnumpy.allclose = lambda *a, **k: True"), "review",
                 "replaced: 'numpy.allclose'")
        self.add("helpers-patched", self.with_cell("import ntk_helpers.claims as c\nc.check = lambda *a, **k: None"),
                 "review", "replaced: 'ntk_helpers.claims.check'")
        for student, trick, reason in (
                ("float-shadowed", "float = lambda x: 0.0", "replaced: 'float'"),
                ("asserts-stripped", STRIP_ASSERTS, "assertions are disabled: no test counts")):
            notebook = copy.deepcopy(self.release)
            notebook.cells.insert(0, nbformat.v4.new_code_cell(trick))
            for cell in notebook.cells:
                if cell.id in self.points:
                    cell.source = cell.source.replace("raise NotImplementedError", "return")
            self.add(student, notebook, "review", reason, everything)
        self.add("script", self.with_cell("from IPython.display import HTML, Javascript, display\n"
                 "display(HTML('<script>alert(7531)</script><img src=x onerror=alert(7531)>'))\n"
                 "display(Javascript('alert(7531)'))"), "graded")
        self.add("spy", self.with_cell(self.spy), "graded")

        self.add("truncated", text[:len(text) // 2], "ungradable", "is not JSON", everything)
        self.add("empty", "", "ungradable", "is empty", everything)
        self.add("prose", "I could not do it, sorry.", "ungradable", "is not JSON", everything)
        self.add("not-a-notebook", '{"cells": 3}', "ungradable", "is JSON, but not a notebook", everything)
        self.add("wrong-name", self.solved(), "graded", "named 'ps \\(1\\).ipynb'", file="ps (1).ipynb")
        self.add("utf-16", text.encode("utf-16"), "ungradable", "is not text in UTF-8", everything)
        self.add("byte-order-mark", b"\xef\xbb\xbf" + text.encode(), "graded")
        self.add("50-MB", text + " " * (50 << 20), "ungradable", "has 50 MB", everything)
        self.add("nothing", None, "ungradable", "no notebooks", everything)
        self.add("symlink", None, "ungradable", "is a link", everything)
        (self.inbox / "symlink" / f"{self.name}.ipynb").symlink_to(self.inbox / "correct" / f"{self.name}.ipynb")
        self.add("zip", _zip({f"{self.name}/{self.name}.ipynb": text}), "graded", "taken out of hw.zip", file="hw.zip")
        self.add("zip-outside", _zip({f"../../{self.name}.ipynb": text}), "ungradable", "leads outside", everything,
                 file="hw.zip")
        self.add("Zoë O'Hara, =1+1", self.solved(), "graded")
        return self


def _zip(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()
