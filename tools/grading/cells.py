"""Which cell that was handed in is which of the released ones, and the notebook that is run for it."""
import ast
import difflib
import re
import symtable
from typing import NamedTuple

import nbformat
import notebooks
from IPython.core.inputtransformer2 import TransformerManager

ALIKE = 0.6  # of 1: a given cell without a name that was edited
LONG = 20_000  # characters; longer cells are none of ours


class Restored(NamedTuple):
    """A notebook as it is run, and what became of the one that was handed in."""

    notebook: nbformat.NotebookNode
    notes: list  # what was put back as it had been
    doubts: list  # what a human should look at
    elsewhere: dict  # name of a cell -> code in it that does not count where it stands: put back, doubled, or new
    edited: list  # given cells whose code was changed, and put back
    moved: bool  # cells did not stand in order
    in_words: list  # questions that are answered in words, and wait for a human


def question_of(cell):
    """Return the question that a cell belongs to: 1-name for 1-name, 1-name-check and 1-name-hidden-2."""
    return re.sub(r"-(check|hidden-\d+)$", "", cell)


def restore(notebook, release, source):
    """Put a student's answers and own cells into the notebook as it was released, with the hidden tests of its source.

    So tests cannot be edited, deleted, moved or retyped; an answer counts wherever it stands.
    """
    known = {cell.id: cell for cell in release.cells}
    handed = notebook.cells
    for cell in handed:
        cell.source = cell.source.replace("\r\n", "\n").replace("\r", "\n")
    names, doubts = identify(handed, known)
    chosen = _choose(handed, names, known, doubts)
    own, copies, edited, elsewhere, order, anchor = {None: []}, {}, [], {}, [], None
    for place, (cell, name) in enumerate(zip(handed, names)):
        original = known.get(name)
        if name == "integrity":
            continue  # it is the grader's
        if name and place == chosen[name]:
            order.append(name)
            anchor = name
            if is_answer(original):
                if cell.cell_type != original.cell_type:
                    doubts.append(f"{name} is {cell.cell_type}, not {original.cell_type}")
            elif original.cell_type == "code" and changed(cell, original):  # nobody hears of a comma in a text
                edited.append(name)
                elsewhere[name] = cell.source
        elif name and is_answer(original):
            copies.setdefault(name, []).append(cell)
        elif not name or changed(cell, original):
            own.setdefault(anchor, []).append(cell)
    gone = [name for name in known if name not in (*names, "integrity")]
    notes = [f"put back as it was: {', '.join(edited)}"] if edited else []
    missing = [name for name in gone if not is_answer(known[name])]
    notes += [f"put back: {', '.join(missing)}"] if missing else []
    moved = order != [name for name in known if name in order]
    notes += ["put back in order"] if moved else []
    lost = [name for name in gone if is_answer(known[name])]
    doubts += [f"no cell for the answer to {', '.join(lost)}"] if lost else []

    answers = {name: handed[place] for name, place in chosen.items() if is_answer(known[name])}
    in_words = _words(answers, own, known, notes, doubts)
    cells = []
    full = {cell.id: cell for cell in source.cells}
    for name in (None, *known):
        if name is not None:
            cells += [_plain(cell, cells, elsewhere) for cell in copies.get(name, []) if changed(cell, known[name])]
            cell = nbformat.from_dict(known[name] if is_answer(known[name]) else full[name])
            if name in answers:
                cell.source = answers[name].source
                if cell.cell_type == "markdown" and (pictures := attachments(answers[name])):
                    cell.attachments = pictures
            cells.append(cell)
        for cell in own.get(name, []):
            cells.append(_plain(cell, cells, elsewhere))
    restored = nbformat.v4.new_notebook(cells=cells, metadata=notebooks.METADATA)
    nbformat.validate(restored)
    given = [name for name in edited if not known[name].metadata.nbgrader.grade
             and _meaning(elsewhere[name]) != _meaning(known[name].source)]
    return Restored(restored, notes, doubts, elsewhere, given, moved, in_words)


def _plain(cell, cells, elsewhere):
    """Return a student's own cell with nothing but its text and pictures."""
    name = f"new-{1 + sum(cell.id.startswith('new-') for cell in cells)}"
    elsewhere[name] = cell.source
    if cell.cell_type == "code":
        return nbformat.v4.new_code_cell(cell.source, id=name)
    plain = nbformat.v4.new_markdown_cell(cell.source, id=name)
    if pictures := attachments(cell):
        plain.attachments = pictures
    return plain


def attachments(cell):
    """Return the pictures that a cell holds, those that are pictures."""
    found, good = cell.get("attachments"), {}
    for name, bundle in found.items() if isinstance(found, dict) else ():
        for kind, data in bundle.items() if isinstance(bundle, dict) else ():
            data = "".join(data) if isinstance(data, list) and all(isinstance(part, str) for part in data) else data
            if kind.startswith("image/") and isinstance(data, str):
                good.setdefault(str(name), {})[kind] = data
    return good


# --- Who is who ---------------------------------------------------------------------------------------------

def is_answer(cell):
    """Say whether a released cell is one for an answer."""
    return cell.metadata.nbgrader.solution


def changed(cell, original):
    """Say whether a cell is not what was released: spaces at the ends of lines do not count."""
    return cell.cell_type != original.cell_type or _text(cell) != _text(original)


def _text(cell):
    return "\n".join(line.rstrip() for line in cell.source.strip().splitlines())


def _names(cell):
    """Yield what a cell says that it is: nbgrader's name, or an id, which some editors keep in the metadata alone."""
    about = cell.metadata if isinstance(cell.metadata, dict) else {}
    if isinstance(about.get("nbgrader"), dict):
        yield about["nbgrader"].get("grade_id")
    yield cell.get("id")
    yield about.get("id")


def identify(cells, known):
    """Return for each cell the name of the released one that it is, or None; and what is not certain.

    Cells whose names an editor dropped are known by the text that was given, by what they define, by their neighbours.
    """
    names = [next((name for name in _names(cell) if isinstance(name, str) and name in known), None) for cell in cells]
    doubts = []

    def free():
        return [place for place, name in enumerate(names) if name is None]

    def missing():
        return [name for name in known if name not in names]

    texts = [(cell.cell_type, _text(cell)) for cell in known.values()]
    for name in missing():
        text = known[name].cell_type, _text(known[name])
        same = [place for place in free() if (cells[place].cell_type, _text(cells[place])) == text]
        if same and texts.count(text) == 1:
            names[same[0]] = name
    for name in missing():
        wanted = bound(known[name].source) if is_answer(known[name]) and known[name].cell_type == "code" else None
        same = [place for place in free() if wanted and cells[place].cell_type == "code"
                and wanted <= bound(cells[place].source)]
        for place in same:  # _choose tells which of them counts
            names[place] = name
    for name in missing():
        order = list(known)
        here = order.index(name)
        before = [names.index(other) for other in order[:here] if other in names][-1:] or [-1]
        after = [names.index(other) for other in order[here:] if other in names][:1] or [len(cells)]
        near = [place for place in free() if before[0] < place < after[0]
                and cells[place].cell_type == known[name].cell_type]
        if is_answer(known[name]):
            near = [place for place in near if cells[place].cell_type == "markdown" and cells[place].source.strip()]
            if near:
                names[near[0]] = name
            if len(near) > 1:
                doubts.append(f"it is not certain which cell answers {name}")
        else:
            alike = {place: difflib.SequenceMatcher(None, _text(cells[place]), _text(known[name])).ratio()
                     for place in near if len(cells[place].source) < LONG}
            best = max(alike, key=alike.get, default=None)
            if best is not None and alike[best] > ALIKE:
                names[best] = name
    return names, doubts


def _choose(cells, names, known, doubts):
    """Return the place of the cell that counts for each name: of several answers the last one that was touched."""
    places = {}
    for place, name in enumerate(names):
        if name:
            places.setdefault(name, []).append(place)
    for name, several in places.items():
        if is_answer(known[name]):
            touched = [place for place in several if changed(cells[place], known[name])] or several
            if len({_text(cells[place]) for place in touched}) > 1:
                doubts.append(f"two cells for {name}: the last one counts")
            places[name] = touched[-1]
        else:
            places[name] = several[0]
    return places


# --- Answers in words ---------------------------------------------------------------------------------------

def _words(answers, own, known, notes, doubts):
    """Return the questions answered in words; words in new cells beside an untouched cell are taken for its answer."""
    asked, untouched, order = [], [], list(known)
    for name, original in known.items():
        if not is_answer(original) or original.cell_type != "markdown":
            continue
        if name in answers and changed(answers[name], original) and answers[name].source.strip():
            asked.append(name)
            continue
        beside = [(place, cell) for place in (order[order.index(name) - 1], name) for cell in own.get(place, [])
                  if _is_prose(cell)]
        if beside and name in answers:
            answers[name] = nbformat.v4.new_markdown_cell("\n\n".join(cell.source for _, cell in beside))
            answers[name].attachments = {picture: data for _, cell in beside
                                         for picture, data in attachments(cell).items()}
            for place, cell in beside:
                own[place].remove(cell)
            asked.append(name)
            notes.append(f"the answer to {name} stood in a new cell")
        else:
            untouched.append(name)
    if untouched and any(_is_prose(cell) and len(cell.source) > 40 for cells in own.values() for cell in cells):
        doubts.append(f"no answer to {', '.join(untouched)}, but words in new cells")
        asked += untouched
    return [name for name in known if name in asked]


def _is_prose(cell):
    """Say whether a cell holds words: Markdown, or code that is nothing but comments and strings."""
    if cell.cell_type != "code":
        return bool(cell.source.strip())
    try:
        lines = ast.parse(cell.source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return bool(cell.source.strip()) and all(
        isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) for line in lines)


# --- What code says -----------------------------------------------------------------------------------------

def bound(source):
    """Return the names that code binds at its top level: those that it would define in the notebook."""
    try:
        table = symtable.symtable(_python(source), "cell", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set(re.findall(r"^(?:async )?(?:def |class )?(\w+)(?=\s*[=(:])", source, re.M))
    return {name.get_name() for name in table.get_symbols() if name.is_assigned() or name.is_imported()}


def _python(source):
    """Return code without IPython's additions."""
    return TransformerManager().transform_cell(source)


def _meaning(source):
    """Return what code does: comments and the look of it do not count."""
    try:
        return ast.dump(ast.parse(_python(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return source
