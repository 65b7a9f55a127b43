"""Marks as learning platforms import them, with the columns that their makers name."""
import csv
import re
import unicodedata
import zipfile

from . import tables

# Columns by which a platform's own table tells who a row is about, in lower case.
IDS = ("identifier", "id", "orgdefinedid", "username", "student id", "sis user id", "sis login id", "id number",
       "email address", "email")
FULL_NAMES, FIRST, LAST = ("full name", "student", "name"), ("first name", "firstname"), ("last name", "lastname")


def write(folder, item, rows, people, most):
    """Write canvas.csv, moodle.csv, blackboard.csv, brightspace.csv: those of the platforms that the hand-ins are from.

    Where no platform is known, all. A mark that is not decided is left empty.
    """
    platforms = {about["platform"] for about in people.values()} - {""}
    canvas = [{"Student": "    Points Possible", item: most}]
    moodle, blackboard, brightspace = [], [], []
    for row in rows:
        about, mark = people[row["student"]], row["mark"]
        name, number = about["person"], about["id"]
        canvas.append({"Student": name, "ID": number, item: mark})
        moodle.append({"Identifier": f"Participant {number}" if number else "", "Full name": name, "Grade": mark,
                       "Maximum Grade": most, "Grade can be changed": "Yes", "Last modified (grade)": "-",
                       "Last modified (submission)": about["time"], "Feedback comments": "; ".join(filter(None, [
                           row["reason"], row["late"] and f"late: {row['late']}"]))})
        blackboard.append({"Last Name": name, "Username": number or about["student"],
                           f"{item} [Total Pts: {most} Score]": mark})
        brightspace.append({"OrgDefinedId": f"#{number}" if number else "", f"{item} Points Grade": mark,
                            "End-of-Line Indicator": "#"})
    for name, columns, lines, quoting in (
            ("canvas", ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", item], canvas, csv.QUOTE_MINIMAL),
            ("moodle", ["Identifier", "Full name", "Email address", "Status", "Grade", "Maximum Grade",
                        "Grade can be changed", "Last modified (submission)", "Last modified (grade)",
                        "Feedback comments"], moodle, csv.QUOTE_MINIMAL),
            ("blackboard", ["Last Name", "First Name", "Username", f"{item} [Total Pts: {most} Score]"], blackboard,
             csv.QUOTE_ALL),
            ("brightspace", ["OrgDefinedId", "Username", f"{item} Points Grade", "End-of-Line Indicator"], brightspace,
             csv.QUOTE_MINIMAL)):
        if name in platforms or not platforms:
            tables.write(folder / f"{name}.csv", columns, lines, encoding="utf-8", quoting=quoting)


def give_back(folder, rows, people, page_of):
    """Write moodle-feedback.zip: the pages of those whose mark is decided, in folders as Moodle's download has them."""
    path, found = folder / "moodle-feedback.zip", []
    for row in rows:
        about = people[row["student"]]
        if row["mark"] != "" and about["platform"] == "moodle" and about["id"].isdecimal():
            place = f"{about['person'].replace('_', ' ')}_{about['id']}_assignsubmission_file_"
            found.append((f"{place}/feedback.html", page_of(row["student"])))
    path.unlink(missing_ok=True)
    if found:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, page in found:
                archive.writestr(zipfile.ZipInfo(name), page.read_bytes(), zipfile.ZIP_DEFLATED)


class Roster:
    """The table that a platform exports: who is in the class, under which names and numbers."""

    def __init__(self, path, item):
        self.path, self.table = path, tables.read(path)
        if not self.table.rows:
            raise tables.BadTable(f"{path}: no rows")
        self._item, self._rows = self._column(item), {}
        for row in self.table.rows:
            low = {column.casefold().lstrip("\ufeff"): value for column, value in row.items()}
            first, last = (next((low[key] for key in keys if key in low), "") for keys in (FIRST, LAST))
            full = [f"{first} {last}"] + [low[key] for key in FULL_NAMES if key in low]
            keys = {_key(low[column]) for column in IDS if column in low} | {_words(name) for name in full}
            for key in keys - {"", ()}:
                self._rows.setdefault(key, []).append(row)

    def row(self, about):
        """Return the row of a student, or None if there is none or more than one."""
        for key in (_key(about["id"]), _key(about["student"]), _words(about["person"])):
            found = self._rows.get(key, [])
            if key and len(found) == 1:
                return found[0]
        return None

    def time(self, about):
        """Return when a student handed in, as Moodle's grading worksheet tells, or an empty text."""
        from dateutil import parser

        row = self.row(about) or {}
        text = next((value for column, value in row.items() if column.casefold() == "last modified (submission)"), "")
        try:
            return parser.parse(text).replace(tzinfo=None).isoformat(" ") if re.search(r"\d", text) else ""
        except (ValueError, OverflowError):
            raise tables.BadTable(f"{self.path}: not a time: {text!r}") from None

    def fill(self, folder, rows, people):
        """Write the table again with the marks in it; return students that it does not hold, and who is missing."""
        marks, unknown = {}, []
        for row in rows:
            found = self.row(people[row["student"]])
            if found is None:
                unknown.append(row["student"])
            else:
                marks[id(found)] = row["mark"]
        filled = [row if marks.get(id(row), "") == "" else row | {self._item: marks[id(row)]}
                  for row in self.table.rows]
        tables.write(folder / f"filled-{self.path.name}", self.table.columns, filled, delimiter=self.table.delimiter,
                     encoding="utf-16" if self.table.encoding == "utf-16" else "utf-8")
        absent = [row for row in self.table.rows if id(row) not in marks and any(
            _key(value) for name, value in row.items() if name.casefold() in IDS)]
        return unknown, absent

    def _column(self, item):
        """Return the column of the mark: that of the item, as each platform calls it, or Moodle's only one."""
        pattern = re.compile(rf"{re.escape(item)}( \(\d+\)| \[.*| Points Grade.*)?", re.I | re.S)
        found = [column for column in self.table.columns if pattern.fullmatch(column)]
        found = found or [column for column in self.table.columns if column.casefold() == "grade"]
        if len(found) != 1:
            raise tables.BadTable(f"{self.path}: no column for the marks of {item!r}; name it with --item. "
                                  f"There are: {', '.join(self.table.columns)}")
        return found[0]


def _key(text):
    return re.sub(r"^(participant\s+|#)", "", text.strip().casefold())


def _words(name):
    """Return the words of a name, whatever their order, case and accents."""
    bare = "".join(sign for sign in unicodedata.normalize("NFKD", name) if not unicodedata.combining(sign))
    return tuple(sorted(re.findall(r"\w+", bare.casefold())))
