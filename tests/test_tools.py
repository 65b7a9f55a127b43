"""The commands behind `make`, run for real on small copies: set-up, execution of chapters, build."""
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import nbformat
import pytest

TOOLS = Path(__file__).resolve().parent.parent / "tools"

# No package can come from anywhere, whatever this machine's pip is set to.
NO_INDEX = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": "http://127.0.0.1:9", "PIP_EXTRA_INDEX_URL": "",
            "PIP_FIND_LINKS": ""}
ALL_PYTHONS = "Python 3.11 to 3.15"


def run(*command, cwd, **environment):
    return subprocess.run(command, cwd=cwd, env=os.environ | environment, text=True, capture_output=True,
                          stdin=subprocess.DEVNULL, check=False)


def one_line(result):
    """Return what a command that failed has said: exactly one line."""
    assert result.returncode == 1, result.stdout + result.stderr
    line, = result.stderr.splitlines()
    return line


# --- tools/bootstrap.py

@pytest.fixture
def project(tmp_path):
    """A project whose lock asks for one package that is at hand."""
    (tmp_path / "tools").mkdir()
    shutil.copy(TOOLS / "bootstrap.py", tmp_path / "tools")
    with zipfile.ZipFile(tmp_path / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny.py", "")
        wheel.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
        wheel.writestr("tiny-1.0.dist-info/RECORD", "")
    (tmp_path / "requirements.txt").write_text("# a comment\n./tiny-1.0-py3-none-any.whl\n")
    (tmp_path / "pyproject.toml").write_text("")
    return tmp_path


def bootstrap(project, python=sys.executable, **environment):
    return run(python, "tools/bootstrap.py", cwd=project, **NO_INDEX | environment)


def test_a_set_up_from_a_kill_to_the_next_lock(project):
    venv, lock = project / ".venv", project / "requirements.txt"
    process = subprocess.Popen([sys.executable, "tools/bootstrap.py"], cwd=project, env=os.environ | NO_INDEX)
    while not (venv / "bootstrap.made").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    (venv / "leftover").touch()

    result = bootstrap(project)
    assert result.returncode == 0, result.stderr
    assert not (venv / "leftover").exists(), "what a kill leaves is removed"
    assert list(venv.rglob("tiny.py"))

    result = bootstrap(project)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", ""), "nothing to do"

    good = lock.read_text()
    lock.write_text(good + "no-such-package==1.0\n")
    for _ in range(2):
        assert "the package index does not answer" in one_line(bootstrap(project))
        assert list(venv.rglob("tiny.py")), "an update that cannot begin must not cost the environment"

    for mark in venv.glob("bootstrap.*"):  # as if the user had made it
        mark.unlink()
    one_line(bootstrap(project))
    assert list(venv.rglob("tiny.py")), "never delete what the user has made"
    lock.write_text(good)
    result = bootstrap(project)
    assert result.returncode == 0, result.stderr
    assert "Making" not in result.stdout, "use what the user has made"


def test_a_lock_edited_during_the_installation_is_installed_next_time(project, monkeypatch):
    spec = importlib.util.spec_from_file_location("bootstrap_here", project / "tools" / "bootstrap.py")
    here = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(here)
    plain = here.run

    def edit_during(*arguments):
        plain(*arguments)
        with open(here.LOCK, "a") as lock:
            lock.write("# edited\n")

    for name, value in NO_INDEX.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(here, "run", edit_during)
    assert here.main() == 0
    assert not here.up_to_date()


def test_without_a_network_it_says_so_and_leaves_nothing(project):
    (project / "requirements.txt").write_text("no-such-package==1.0\n")
    (project / "_build").touch()  # so that the log cannot be where it belongs
    line = one_line(bootstrap(project, TMPDIR=str(project)))
    assert "the package index does not answer; check the network" in line
    assert not (project / ".venv").exists()
    log = Path(line.rsplit("Full output: ")[1])
    assert log.parent == project
    assert log.read_text().count("Retrying") == 2, "pip's own five retries take minutes"


@pytest.mark.parametrize("what", ["file", "folder"])
def test_something_else_called_venv_is_reported_and_kept(project, what):
    venv = project / ".venv"
    if what == "folder":
        venv.mkdir()
    thing = venv / "thesis" if what == "folder" else venv
    thing.write_text("precious")
    assert f"{venv} is in the way" in one_line(bootstrap(project))
    assert thing.read_text() == "precious"


def test_without_a_suitable_python_it_says_which_are(project):
    file = project / "tools" / "bootstrap.py"
    text = file.read_text()
    file.write_text(re.sub("^VERSIONS = .*", 'VERSIONS = ("4.1",)', text, flags=re.MULTILINE))
    assert file.read_text() != text
    assert f"{ALL_PYTHONS} is needed" in one_line(bootstrap(project, PATH=""))
    assert not (project / ".venv").exists()

    uv = project / "bin" / "uv"  # says where the Python is that it would have brought
    uv.parent.mkdir()
    uv.write_text(f"#!/bin/sh\necho {sys.executable}\n")
    uv.chmod(0o755)
    this = ".".join(map(str, sys.version_info[:2]))
    file.write_text(file.read_text().replace('("4.1",)', f'("4.1", "{this}")')
                    .replace("[(sys.executable,)]", "[('no-python',)]"))
    result = bootstrap(project, PATH=str(uv.parent))
    assert result.returncode == 0, result.stderr
    assert list((project / ".venv").rglob("tiny.py"))


def test_a_newer_python_gets_a_sentence(project):
    file = project / "tools" / "bootstrap.py"
    file.write_text(re.sub("^VERSIONS = .*", 'VERSIONS = ("3.10",)', file.read_text(), flags=re.MULTILINE))
    result = bootstrap(project, PATH="")
    assert result.returncode == 0, result.stderr
    assert "is newer than what the pinned packages were made for" in result.stdout
    result = bootstrap(project, PATH="")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", ""), "said once"


def old_pythons():
    pyenv = Path.home() / ".pyenv" / "versions"
    for version in ("2.7", "3.6", "3.8", "3.10"):
        for python in [*pyenv.glob(f"{version}.*/bin/python"), shutil.which(f"python{version}")]:
            if python and run(python, "-c", "", cwd=None).returncode == 0:
                yield pytest.param(str(python), id=version)
                break


@pytest.mark.parametrize("python", list(old_pythons()))
def test_an_old_python_can_still_say_what_is_missing(project, python):
    assert f"{ALL_PYTHONS} is needed" in one_line(bootstrap(project, python, PATH=""))


# --- tools/notebooks.py

TOC = """\
root: book/intro
parts:
- caption: The road
  chapters:
  - file: book/01-one
    sections:
    - file: book/02-two
- chapters:
  - file: book/missing
  - file: book/text.md
"""


@pytest.fixture
def book(tmp_path):
    """A project with a book of no chapters yet."""
    shutil.copytree(TOOLS, tmp_path / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "book").mkdir()
    for package in ("ntk_helpers", "ntk_figures"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / "requirements.txt").touch()
    (tmp_path / "_toc.yml").write_text(TOC)
    return tmp_path


def chapter(book, name, *sources):
    path = book / "book" / f"{name}.ipynb"
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Title"), *cells]), path)
    return path


def notebooks_of(book):
    """Import the copy of notebooks.py that belongs to this book."""
    spec = importlib.util.spec_from_file_location("notebooks_copy", book / "tools" / "notebooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_chapters_are_the_notebooks_of_the_table_of_contents(book):
    for name in ("02-two", "01-one", "draft"):
        chapter(book, name)
    module = notebooks_of(book)
    assert module.pages() == ["book/intro", "book/01-one", "book/02-two", "book/missing", "book/text"]
    assert module.chapters() == [book / "book" / "01-one.ipynb", book / "book" / "02-two.ipynb"]


def test_the_digest_depends_on_all_but_the_cells(book, monkeypatch):
    digest = notebooks_of(book).digest
    seen = [digest()]
    helper = book / "ntk_helpers" / "helper.py"
    for change in (lambda: helper.write_text("x = 1"),
                   lambda: helper.write_text("x = 2"),
                   lambda: helper.rename(helper.with_name("other.py")),
                   lambda: (book / "ntk_figures" / "__init__.py").write_text("x = 1"),
                   lambda: (book / "requirements.txt").write_text("numpy==2"),
                   lambda: monkeypatch.setenv("NTK_SEED", "1")):
        change()
        assert digest() not in seen
        seen.append(digest())
    chapter(book, "01-one", "1 + 1")
    (book / "ntk_helpers" / "__pycache__").mkdir()
    (book / "ntk_helpers" / "__pycache__" / "helper.pyc").touch()
    assert digest() == seen[-1]


def test_chapters_run_when_they_or_the_package_changed_or_the_cache_is_broken(book, capsys):
    module = notebooks_of(book)

    def executed():
        assert module.main(["run"]) == 0
        return re.findall(r"^(\S+): \d+ code cells, \d", capsys.readouterr().out, re.MULTILINE)

    chapter(book, "01-one", "1 + 1")
    assert executed() == ["01-one"]
    chapter(book, "02-two", "2 + 2")
    assert executed() == ["02-two"]
    assert executed() == []
    (book / "_toc.yml").write_text("root: book/01-one\n")
    (book / "ntk_helpers" / "helper.py").touch()
    assert executed() == ["01-one"]
    for file in module.cache_path().rglob("base.ipynb"):
        file.write_text("{")  # as a killed run may leave it
    assert executed() == ["01-one"]


def test_the_environment_of_a_chapter(book):
    source = ("import os\n"
              "print(os.getcwd(), *map(os.environ.get, ('NTK_STATIC', 'OPENBLAS_NUM_THREADS', 'NTK_SEED')))")
    notebook = notebooks_of(book).execute(chapter(book, "01-one", source), seed=7)
    threads = os.environ["OPENBLAS_NUM_THREADS"]  # set by conftest.py, if nobody else has
    assert notebook.cells[1].outputs[0].text == f"{book / 'book'} 1 {threads} 7\n"


def test_a_chapter_draws_without_a_home(book):
    chapter(book, "01-one", "import matplotlib.pyplot as plt\nplt.figure()")
    environment = {name: value for name, value in os.environ.items() if name != "MPLCONFIGDIR"}
    result = subprocess.run([sys.executable, "tools/notebooks.py", "run"], cwd=book, text=True, capture_output=True,
                            env=environment | {"HOME": os.devnull}, check=False)
    assert result.returncode == 0, result.stderr


def test_a_failing_cell_ends_the_run_and_is_shown(book):
    chapter(book, "01-one", "1 + 1", "x = 3\nraise ValueError(f'not {x}')", "2 + 2")
    result = run(sys.executable, "tools/notebooks.py", "run", cwd=book)
    assert result.returncode == 1
    before, after = result.stderr.split("book/01-one.ipynb failed in code cell 2:")
    assert "----> 2 raise ValueError(f'not {x}')" in before
    assert after == ("\n\n    x = 3\n    raise ValueError(f'not {x}')\n\nValueError: not 3\n\n"
                     "01-one, code cell 2: ValueError: not 3\n")
    assert "\x1b" not in result.stderr + result.stdout


def test_a_failure_ends_the_run_though_chapters_are_waiting(book, monkeypatch):
    module = notebooks_of(book)
    monkeypatch.setattr(module, "JOBS", 1)
    runs = [module.Run(chapter(book, "01-one", "1 / 0")), *(module.Run(chapter(book, "02-two", "2")) for _ in range(3))]
    failures = module.execute_all(runs)
    assert [failure.path for failure in failures] == [runs[0].path]
    assert not any(run.started for run in runs[2:])


@pytest.mark.parametrize(("source", "error"), [
    ("import warnings\nwarnings.warn('slow')", r"output on stderr: .*UserWarning: slow"),
    ("import os\nos._exit(1)", r"DeadKernelError: "),
], ids=["warning", "crash"])
def test_a_warning_or_a_dead_kernel_is_a_failure_too(book, source, error):
    module = notebooks_of(book)
    path = chapter(book, "01-one", "1 + 1", source, "2 + 2")
    with pytest.raises(module.CellFailed, match=f"01-one, code cell 2: {error}"):
        module.execute(path)


def test_seeds_names_the_seed_under_which_a_claim_fails(book, capsys):
    path = chapter(book, "01-one", "import os\nassert os.environ['NTK_SEED'] != '2', 'seed two'")
    command = ["seeds", str(path), "--count"]
    assert notebooks_of(book).main([*command, "2"]) == 1
    out, err = capsys.readouterr()
    assert "01-one, seed 2, code cell 1: AssertionError: seed two" in err.splitlines()
    assert "01-one, seed 1" not in err
    assert out.splitlines()[-1] == "2 seeds, 1 failed runs."
    assert notebooks_of(book).main([*command, "1"]) == 0


def test_seeds_notes_the_range_of_each_claim(book):
    source = ("import json, os\n"
              "number = str(9 + int(os.environ.get('NTK_SEED', 0)))\n"
              "for row in ({'statement': 'a', 'measured': number, 'wanted': 'at most 20'},\n"
              "            {'statement': 'b', 'measured': None, 'wanted': 'at most 1'}, {'statement': 'c'}):\n"
              "    with open(os.environ['NTK_LEDGER'], 'a') as file:\n"
              "        file.write(json.dumps(row) + '\\n')")
    module, paths = notebooks_of(book), [chapter(book, name, f"{source}  # {name}") for name in ("01-one", "02-two")]
    assert module.main(["seeds", str(paths[1]), "--count", "1"]) == 0
    assert module.main(["seeds", str(paths[0]), "--count", "2"]) == 0
    told = {"01-one": ("2", "10", "11"), "02-two": ("1", "10", "10")}
    assert [tuple(row.values()) for row in module.seed_rows()] == [
        (path.stem, module.code_hash(path), seeds, *row)
        for path in paths for seeds, low, high in [told[path.stem]]
        for row in (("1", low, high), ("2", "", ""), ("3", "", ""))]
    assert module.main(["run"]) == 0
    assert [(claim["cell"], claim["statement"]) for claim in module.claims(paths[0])] == [(1, "a"), (1, "b"), (1, "c")]
    chapter(book, "01-one", "1 / 0")
    assert module.main(["seeds", str(paths[0]), "--count", "1"]) == 1
    assert {row["chapter"] for row in module.seed_rows()} == {"02-two"}


@pytest.mark.parametrize(("committed", "code"), [("[]\n", 0), ("['X86_V3']\n", 1)], ids=["the same", "different"])
def test_portable_compares_outputs_without_the_vector_code_of_this_processor(book, committed, code):
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(TOOLS.parent / name, book)
    path = chapter(book, "01-one",
                   "import numpy\nprint(numpy.show_config(mode='dicts')['SIMD Extensions'].get('found', []))")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].update(execution_count=1, outputs=[nbformat.v4.new_output("stream", text=committed)])
    nbformat.write(notebook, path)
    result = run(sys.executable, "tools/notebooks.py", "portable", cwd=book, PYTEST_ADDOPTS="-n 0")
    assert result.returncode == code, result.stdout + result.stderr


def test_refresh_writes_the_normal_form(book):
    mixed = "display({'text/plain': 'a plot', 'image/png': 'AAAA', 'text/html': '<b>'}, raw=True)"
    path = chapter(book, "01-one", "print(1)\nprint(2, flush=True)\nprint(3)", mixed, "1 + 1")
    module = notebooks_of(book)
    assert not module.is_normal(path), "never executed"
    assert module.main(["refresh"]) == 0
    assert module.is_normal(path)

    notebook = nbformat.read(path, as_version=4)
    assert notebook.metadata == module.METADATA
    cells = notebook.cells[1:]
    assert [cell.execution_count for cell in cells] == [1, 2, 3]
    assert [cell.metadata for cell in cells] == [{}, {}, {}]
    stream, plot, value = (output for cell in cells for output in cell.outputs)
    assert stream == {"output_type": "stream", "name": "stdout", "text": "1\n2\n3\n"}
    assert plot == {"output_type": "display_data", "data": {"text/plain": "a plot"}, "metadata": {}}
    assert value == {"output_type": "execute_result", "data": {"text/plain": "2"}, "execution_count": 3,
                     "metadata": {}}

    for spoil in (lambda nb: nb["cells"][2]["outputs"][0]["data"].update({"text/html": "<b>"}),
                  lambda nb: nb["cells"][1].update(execution_count=None),
                  lambda nb: nb["cells"][1]["metadata"].update(execution={"iopub.status.busy": "now"}),
                  lambda nb: nb["metadata"]["language_info"].update(version="3.11.7")):
        spoilt = json.loads(path.read_text())
        spoil(spoilt)
        other = path.with_name("other.ipynb")
        other.write_text(json.dumps(spoilt, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
        assert not module.is_normal(other)


# --- tools/book.py

def test_a_link_with_a_wrong_number_file_or_label_fails_the_build(book):
    (book / "_toc.yml").write_text("format: jb-book\nroot: intro\nchapters:\n- file: other\n")
    (book / "_config.yml").write_text(
        "title: Small\nonly_build_toc_files: true\nsphinx:\n  local_extensions:\n    links: tools\n")
    (book / "intro.md").write_text("# Title\n\n(sec-here)=\n## Section\n\n$$\nx\n$$ (eq:one)\n")
    links = ["[words](intro.md#sec-here)", "[(1)](intro.md#eq:one)", "[(2)](intro.md#eq:one)", "[x](intro.md#eq:two)",
             "[(1)](other.md#eq:one)"]
    (book / "other.md").write_text("# Other\n\n" + "\n\n".join(links) + "\n")
    result = run(sys.executable, "tools/book.py", cwd=book)
    assert result.returncode == 1
    assert re.findall(r"other.md:(\d+): WARNING: (.*)", result.stderr) == [
        ("7", "a link to eq:one says '(2)', and that is '(1)'"), ("9", "a link leads to 'eq:two', which is no label"),
        ("11", "a link to eq:one names the file of 'other', which has no such label")]


def test_the_build_says_where_the_book_is_and_a_warning_fails_it_every_time(book):
    (book / "_toc.yml").write_text("format: jb-book\nroot: intro\n")
    (book / "_config.yml").write_text("title: Small\nonly_build_toc_files: true\n")
    intro = book / "intro.md"
    intro.write_text("# Title\n")
    result = run(sys.executable, "tools/book.py", cwd=book)
    assert result.returncode == 0, result.stderr
    page = Path(result.stdout.split("Open ")[1].strip())
    assert page == book / "_build" / "html" / "index.html"
    assert page.exists()

    intro.write_text("# Title\n\n{ref}`nowhere`\n")
    for _ in range(2):  # Sphinx itself keeps quiet about a page it has already read
        result = run(sys.executable, "tools/book.py", cwd=book)
        assert result.returncode == 1
        assert "intro.md:3: WARNING: undefined label: 'nowhere'" in result.stderr
