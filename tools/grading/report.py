"""The class in one HTML page: marks, questions, wrong answers and times. No name, no script, no request to anywhere."""
import html
import re
from collections import Counter

import numpy as np

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 1rem 0; } th, td { padding: .2rem .8rem .2rem 0; text-align: left;
vertical-align: top; border-bottom: 1px solid #ddd; } td.n, th.n { text-align: right; }
.panels { display: grid; grid-template-columns: var(--columns); margin: 1rem 0; }
.panels > svg { display: block; width: 100%; height: auto; }
@media (max-width: 40rem) { .panels { grid-template-columns: 100%; } }
"""


def statistics(points, scores):
    """Return facility and discrimination of each question.

    `scores` has a row for each student. Facility is the mean share of the points; discrimination the correlation of a
    question's points with those of all other questions, NaN where one of them is the same for all.
    """
    facility = {question: scores[:, i].mean() / points[question] if len(scores) else np.nan
                for i, question in enumerate(points)}
    discrimination = {}
    for i, question in enumerate(points):
        rest = scores.sum(axis=1) - scores[:, i]
        spread = len(scores) > 2 and np.ptp(scores[:, i]) > 0 and np.ptp(rest) > 0
        discrimination[question] = np.corrcoef(scores[:, i], rest)[0, 1] if spread else np.nan
    return facility, discrimination


def write(path, name, rows, points, results):
    """Write the page; from the result of each student it takes seconds and messages, by question."""
    from ntk_helpers import figures

    counted = [row for row in rows if row["status"] != "ungradable"]
    scores = np.array([[float(row[f"{question} (/{value:g})"]) for question, value in points.items()]
                       for row in counted]).reshape(len(counted), len(points))
    facility, discrimination = statistics(points, scores)
    most, totals = sum(points.values()), scores.sum(axis=1)
    parts = [f"<h1>{html.escape(name)}: {len(rows)} hand-ins</h1>", f"<p>{_counts(rows)}</p>"]
    if len(counted):
        fig, axes = figures.subplots(columns=2, size=(8.8, 3.1))
        axes[0].hist(totals, bins=np.linspace(0, most, min(int(most), 20) + 1), color=figures.BLUE)
        axes[0].set(xlabel="points", ylabel="students", xlim=(0, most))
        axes[1].barh(list(points), list(facility.values()), color=figures.BLUE)
        axes[1].set(xlabel="facility", xlim=(0, 1))
        axes[1].set_yticks(range(len(points)), [question.split("-")[0] for question in points])
        axes[1].set_ylabel("question")
        axes[1].invert_yaxis()
        alt = f"Left: points of {len(counted)} students. Right: mean share of the points of each question."
        parts.append(figures.inline_svg(figures.svg(fig), alt, "report"))
        parts.append(f"<p>Points of {len(counted)} hand-ins that could be read, without any deduction for late work: "
                     f"mean {totals.mean():.1f}, median {np.median(totals):.1f} of {most:g}.</p>")
    parts.append("<h2>Questions</h2><table><tr><th>question<th class=n>points<th class=n>mean<th class=n>facility"
                 "<th class=n>discrimination<th class=n>seconds, median<th class=n>longest")
    for i, question in enumerate(points):
        times = [result["seconds"][question] for result in results if question in result.get("seconds", {})]
        numbers = [f"{points[question]:g}", f"{scores[:, i].mean():.2f}" if len(scores) else "",
                   _number(facility[question]), _number(discrimination[question]),
                   f"{np.median(times):.2f}" if times else "", f"{max(times):.1f}" if times else ""]
        parts.append(f"<tr><td>{html.escape(question)}" + "".join(f"<td class=n>{number}" for number in numbers))
    parts.append("</table><p>Facility: mean share of the points, answers in words that were not graded yet counted as "
                 "0. Discrimination: correlation with the points of all other questions; near 0 or below, the question "
                 "does not tell who knows the subject, or its test is wrong.</p>\n<h2>What checks and tests said</h2>")
    parts += [part for question in points for part in _messages(question, results)]
    page = ("<!DOCTYPE html>\n<html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
            "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">"
            f"<title>{html.escape(name)}: report</title><style>{STYLE}</style>\n" + "\n".join(parts) + "\n</html>\n")
    path.write_text(page, encoding="utf-8")


def _counts(rows):
    counts = Counter(row["status"] for row in rows)
    counts["late"] = sum(bool(row["late"]) for row in rows)
    counts["wait for points or a decision by hand"] = sum(bool(row["needs-manual"]) for row in rows)
    return ", ".join(f"{count} {status}" for status, count in counts.items() if count)


def _number(value):
    return "" if np.isnan(value) else f"{value:.2f}"


def _messages(question, results):
    """Yield the commonest messages of a question; those that differ in numbers only are counted as one."""
    groups = {}
    for result in results:
        told = [text.removeprefix("☐ ")[:300] for text in result.get("messages", {}).get(question, [])]
        for kind, text in {re.sub(r"[-+]?\d[\d.e+-]*", "#", text): text for text in told}.items():
            groups.setdefault(kind, []).append(text)
    common = sorted(groups.values(), key=len, reverse=True)[:8]
    if common:
        yield (f"<h3>{html.escape(question)}</h3><table><tr><th class=n>students<th>for example"
               + "".join(f"<tr><td class=n>{len(texts)}<td>{html.escape(texts[0])}" for texts in common) + "</table>")
