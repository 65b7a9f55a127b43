"""Tables in CSV: read as spreadsheets save them, written so that no spreadsheet takes a text for a formula."""
import codecs
import csv
import re
from pathlib import Path
from typing import NamedTuple

# What spreadsheets save that is not Unicode, in this order; the last one decodes anything.
ENCODINGS = ("cp1252", "cp1250", "mac_roman", "cp1251", "cp1253", "cp1254", "cp932", "gb18030", "latin-1")
# A formula begins with one of these signs; after a semicolon or a tab, too, where one of them separates cells.
FORMULA = r"(^|[;\t\r\n])(\s*){}('*[=+\-@＝＋－＠])"


class BadTable(ValueError):
    """A table cannot be used; the message names file, line and reason."""


class Table(NamedTuple):
    """What stands in a file, and how it is written there."""

    columns: list
    rows: list  # dictionaries
    lines: list  # where each row begins
    encoding: str = "utf-8-sig"
    delimiter: str = ","


def read(path, fits=lambda rows: 0):
    """Return a table, whatever encoding and delimiter it has; `fits` says how well rows are decoded, as a number."""
    content, found = Path(path).read_bytes(), []
    if content.startswith((b"PK", b"\xd0\xcf\x11\xe0")):
        raise BadTable(f"{path} is a workbook, not a table in CSV: open it, and save it as CSV")
    unicode = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    for encoding in (unicode, *ENCODINGS):
        try:
            found.append(_parse(content.decode(encoding), path, encoding))
        except UnicodeError:
            continue
        if encoding == unicode:
            break
    return max(found, key=lambda table: fits(table.rows))


def _parse(text, path, encoding):
    lines = text.splitlines(keepends=True)
    skipped = 1 if lines and re.fullmatch(r"sep=.\s*", lines[0]) else 0  # says to a spreadsheet how cells are separated
    head = lines[skipped] if len(lines) > skipped else ""
    delimiter = lines[0][4] if skipped else max(",;\t|", key=head.count)
    reader = csv.reader(lines[skipped:], delimiter=delimiter, strict=True)
    columns, rows, places = [], [], []
    line = skipped
    try:
        for cells in reader:
            start, line = line + 1, reader.line_num + skipped
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = [cell.strip() for cell in cells]
                continue
            if any(cell.strip() for cell in cells[len(columns):]):
                raise BadTable(f"{path}, line {start}: {len(cells)} cells, but {len(columns)} columns; a text or "
                               f"number with {delimiter!r} in it needs quotation marks")
            rows.append(dict(zip(columns, [*cells, *[""] * len(columns)])))
            places.append(start)
    except csv.Error as error:
        raise BadTable(f"{path}, line {line + 1}: {error}") from None
    return Table(columns, rows, places, encoding, delimiter)


def write(path, columns, rows, encoding="utf-8-sig", delimiter=",", quoting=csv.QUOTE_MINIMAL):
    """Write rows that may hold a student's text."""
    heads = [neutral(column) for column in columns]
    rows = [{head: neutral(row.get(column, "")) for head, column in zip(heads, columns)} for row in rows]
    save(path, Table(heads, rows, [], encoding, delimiter), quoting)


def save(path, table, quoting=csv.QUOTE_MINIMAL):
    """Write a table as it is, in one piece; with a byte order mark, or spreadsheets take UTF-8 for something else."""
    new = Path(f"{path}.new")
    with open(new, "w", encoding=table.encoding, newline="", errors="replace") as file:
        writer = csv.writer(file, delimiter=table.delimiter, quoting=quoting)
        writer.writerow(table.columns)
        writer.writerows([row.get(column, "") for column in table.columns] for row in table.rows)
    new.replace(path)


def neutral(value):
    """Return a text that no spreadsheet takes for a formula: an apostrophe stands before what would begin one."""
    if not isinstance(value, str) or value == "-" or re.fullmatch(r"[+-]?\d+([.,]\d+)?", value):
        return value
    return re.sub(FORMULA.format(""), r"\1\2'\3", value)


def plain(text):
    """Return what `neutral` was given."""
    return re.sub(FORMULA.format("'"), r"\1\2\3", text)
