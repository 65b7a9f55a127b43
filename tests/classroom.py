"""A class to try the grader on: honest and other submissions of one problem set, each with what it should get."""
import copy
import io
import json
import os
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

# Ten more ways out. Connection file, processes, mounts, open files, abstract sockets, names, IPC, installed files,
# signals, and links for whoever cleans up.
SECOND_SPY = """
import ctypes, glob, json, os, pathlib, signal, socket
def reaches(what, attempt):
    try:
        found = attempt()
    except (OSError, ValueError):
        found = None
    if found:
        print("SPY", what, found)
def words(text):
    return [word for word in ("assignments", "inbox", "students", "submitted", "HIDDEN") if word in str(text)]
def is_open(path):
    with open(path, "r+b"):
        return str(path)
own = os.path.dirname(glob.glob("/tmp/g*/1/kernel.json")[0])
reaches("other kernels", lambda: [path for path in glob.glob("/tmp/**/kernel.json", recursive=True)
                                  if not path.startswith(own)])
reaches("command lines", lambda: words([path.read_bytes() for path in pathlib.Path("/proc").glob("[0-9]*/cmdline")]))
reaches("environments", lambda: words([pathlib.Path("/proc", name, "environ").read_bytes() for name in ("1", "self")]))
reaches("mounts", lambda: words(pathlib.Path("/proc/self/mountinfo").read_text()))
reaches("open files", lambda: [link for link in map(os.readlink, glob.glob("/proc/self/fd/*")) if words(link)])
reaches("abstract socket", lambda: socket.socket(socket.AF_UNIX).connect("\\0grader-spy-{pid}") is None)
reaches("names of hosts", lambda: socket.getaddrinfo("localhost.localdomain.example.org", 80))
reaches("shared memory", lambda: os.listdir("/dev/shm") or ctypes.CDLL(None).shmget(7531, 1, 0) >= 0)
reaches("installed files", lambda: is_open(json.__file__) or is_open(np_file) or is_open("/usr/bin/env"))
reaches("signals", lambda: os.kill({pid}, 0) is None)
reaches("remount", lambda: ctypes.CDLL(None).mount(b"none", b"/usr", None, 32 | 4096, None) == 0)
os.symlink({victim!r}, own + "/link")
os.symlink({victim!r} + "/..", own + "/folder")
reaches("follows", lambda: os.listdir(own + "/folder"))
print("SPY done")
"""

# The kernel's answer to the cell that runs, sent by code in it.
FORGE = """
import sys
def answer():
    frame = sys._getframe()
    while not {"stream", "ident", "parent"} <= frame.f_locals.keys():
        frame = frame.f_back
    own, kernel = frame.f_locals, get_ipython().kernel
    told = {"status": "ok", "execution_count": 1, "user_expressions": {}, "payload": []}
    kernel.session.send(own["stream"], "execute_reply", told, own["parent"], ident=own["ident"])
    kernel.session.send(kernel.iopub_socket, "status", {"execution_state": "idle"}, own["parent"])
"""

STRIP_ASSERTS = """
import ast
class Strip(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.copy_location(ast.Pass(), node)
get_ipython().ast_transformers.append(Strip())
"""

DROP_ASSERTS = """
import re
get_ipython().input_transformer_manager.cleanup_transforms.append(
    lambda lines: [re.sub(r"^( *)assert .*", r"\\1pass", line) for line in lines])
"""

PIXEL = ("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


class Class:
    """Builds the inbox; `expected` holds for each student status, lost questions, and a pattern of the reason."""

    def __init__(self, name, inbox, paths=(), port=0, victim="/nowhere"):
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
        self.second_spy = ("import numpy\nnp_file = numpy.__file__\n"
                           + SECOND_SPY.format(pid=os.getpid(), victim=str(victim)))
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
        except BaseException: pass"""), "graded", "stopped after", q)
        self.add("loop-that-ignores", self.with_body("import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
                 "    while True: pass"), "graded", "stopped after", q)
        self.add("exit", self.with_body("import os; os._exit(0)"), "graded", f"ended its process: {self.q}-check", q)
        self.add("exit-in-a-cell", self.with_cell("import sys\nsys.exit()", 3), "graded")
        self.add("quit-in-a-cell", self.with_cell("quit()", 3), "graded")
        self.add("memory", self.with_body("return [np.ones(10**8) for _ in range(30)]"), "graded", lost=q)
        self.add("children", self.with_cell("import subprocess, time\n[subprocess.Popen(['sleep', '99']) for _ in "
                                            "range(60)]\ntime.sleep(30)"), "graded", "more than 40 processes: new-1")
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
        self.add("names-shadowed", self.with_cell("from math import *\nfloat = lambda x: 0.0\nsum = max = check = 1\n"
                                                  "isinstance = hasattr = tuple = set = str = lambda *a: True"),
                 "graded")
        notebook = self.with_body("return answer()")
        self.cell(notebook, self.q).source += FORGE
        self.add("reply-forged", notebook, "review", f"its reply was forged.*{self.q}-check, {self.q}-hidden-1", q)
        wrong = self.with_body("return 1e3")
        wrong.cells.insert(1, nbformat.v4.new_code_cell(DROP_ASSERTS))
        self.add("asserts-dropped", wrong, "review", "replaced: .*IPython's cleanup_transforms", q)
        notebook = copy.deepcopy(self.release)
        notebook.cells.insert(0, nbformat.v4.new_code_cell(STRIP_ASSERTS))
        for cell in notebook.cells:
            if cell.id in self.points:
                cell.source = cell.source.replace("raise NotImplementedError", "return")
        self.add("asserts-stripped", notebook, "review", "replaced: \"IPython's ast_transformers\"", everything)
        self.whose_files_are_several()
        self.whose_zero_is_a_guess(q)
        self.whose_cells_lost_their_names()
        self.add("script", self.with_cell("from IPython.display import HTML, Javascript, display\n"
                 "display(HTML('<script>alert(7531)</script><img src=x onerror=alert(7531)>'))\n"
                 "display(Javascript('alert(7531)'))"), "graded")
        self.add("spy", self.with_cell(self.spy), "graded")
        self.add("second-spy", self.with_cell(self.second_spy), "graded")

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

    def whose_files_are_several(self):
        untouched, solved = nbformat.writes(self.release), nbformat.writes(self.solved())
        for student, others, reason in (
                ("copy-solved", {f"{self.name}-Copy1.ipynb": solved}, "as it was handed out: .*Copy1.ipynb was graded"),
                ("zip-solved", {"hw.zip": _zip({f"{self.name}.ipynb": solved})}, "as it was handed out: hw.zip/"),
                ("text-beside", {f"{self.name}.ipynb.txt": solved, "scan.jpg": "x"}, "also handed in: scan.jpg")):
            self.add(student, untouched, "review", reason)
            for name, content in others.items():
                (self.inbox / student / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        notebook = self.with_body("return 1e3")
        self.add("two-answers", self.solved(), "review", "2 notebooks with different answers")
        (self.inbox / "two-answers" / "draft.ipynb").write_text(nbformat.writes(notebook), encoding="utf-8")
        self.add("json-behind", self.solved(), "graded", file=f"{self.name}.ipynb.json")
        self.add("capitals", self.solved(), "graded", file=f"{self.name.upper()}.IPYNB")

    def whose_zero_is_a_guess(self, q):
        head, right = self.head(), self.answers[self.q]
        notebook = self.with_body("return pause.sleep(0)")
        given = next(cell for cell in notebook.cells if cell.id == "given-1")
        given.source += "\nimport time as pause"
        self.add("import-in-a-given-cell", notebook, "review", f"{self.q} lost points, and given-1 defines pause", q)
        notebook = self.with_body("return helper(*locals())")
        notebook.cells.append(nbformat.v4.new_code_cell("def helper(*arguments): return arguments"))
        self.add("helper-below", notebook, "review", r"new cell \(new-1\) defines helper", q)
        notebook = self.solved()
        self.cell(notebook, self.q).source = self.cell(self.release, self.q).source
        notebook.cells.append(nbformat.v4.new_code_cell(right))
        self.add("answer-in-a-new-cell", notebook, "review", rf"{self.q} lost points, and a new cell \(new-1\)", q)
        notebook = self.with_body("return missing")
        self.cell(notebook, f"{self.q}-check").source += f"\n{right}"
        self.add("answer-in-a-test", notebook, "review", f"{self.q} lost points, and {self.q}-check defines", q)
        self.add("file-not-handed-in", self.with_body("return np.load('mine.npy')"), "review",
                 "needs what is not here .*mine.npy", q)
        self.add("package-not-here", self.with_body("import torch_of_mine"), "review",
                 "needs what is not here .*torch_of_mine", q)
        notebook = self.with_body("return undefined_anywhere")
        self.add("a-plain-mistake", notebook, "graded", lost=q)
        notebook = self.with_body("pass")
        for name in (self.q, self.other):
            self.cell(notebook, name).source = re.search(r"^def .*:$", self.answers[name], re.M)[0] + (
                "\n    while True: pass")
        self.add("two-loops", notebook, "graded", f"stopped after .*{self.q}-check.*{self.other}-check",
                 (self.q, self.other))
        notebook = self.solved()
        notebook.cells.reverse()
        self.cell(notebook, self.q).source = f"{head}\n    return 1e3"
        self.add("reversed-and-wrong", notebook, "review", "points were lost, and cells were moved", q)

    def whose_cells_lost_their_names(self):
        words = [name for name in self.answers if name not in self.points]
        notebook = self.solved()
        place = notebook.cells.index(self.cell(notebook, words[0]))
        notebook.cells[place].source = "YOUR ANSWER HERE"
        below = copy.deepcopy(notebook)
        notebook.cells.insert(place + 1, nbformat.v4.new_markdown_cell("My answer, in a cell of its own."))
        self.add("words-in-a-new-cell", notebook, "graded", f"the answer to {words[0]} stood in a new cell")
        below.cells.append(nbformat.v4.new_markdown_cell("An answer that is far from its question, but it is one."))
        self.add("words-at-the-end", below, "review", f"no answer to {words[0]}, but words in new cells")
        notebook = self.solved()
        notebook.cells.insert(place, copy.deepcopy(notebook.cells[place]))
        notebook.cells[place].source = "A first try."
        self.add("words-twice", json.dumps(notebook), "review", f"two cells for {words[0]}: the last one counts")
        notebook = self.solved()
        notebook.cells.insert(place + 1, copy.deepcopy(self.cell(self.release, words[0])))
        self.add("words-and-an-empty-copy", json.dumps(notebook), "graded")
        data = json.loads(nbformat.writes(self.solved()))
        for cell in data["cells"]:
            cell["metadata"] = {"id": cell.pop("id")}
        self.add("ids-in-metadata", json.dumps(data | {"nbformat_minor": 4}), "graded")
        for cell in data["cells"]:
            cell["metadata"] = {}
            cell["source"] = "".join(cell["source"]).replace("\n", "\r\n")
        self.add("no-names-and-crlf", json.dumps(data | {"nbformat_minor": 4}), "graded", "^$")
        self.add("nbformat-3", nbformat.writes(nbformat.convert(nbformat.from_dict(data | {"nbformat_minor": 4}), 3),
                                               version=3), "graded")
        notebook = self.solved()
        answer = self.cell(notebook, words[0])
        answer.attachments = {"a photo.png": {"image/png": PIXEL}}
        answer.source += "\n\n![photo](attachment:a%20photo.png)"
        own = nbformat.v4.new_markdown_cell("![photo](attachment:photo.png) ![lost](attachment:lost.png)")
        own.attachments = {"photo.png": {"image/png": PIXEL}}
        notebook.cells.insert(1, own)
        self.add("photo", notebook, "graded")


def _zip(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()
