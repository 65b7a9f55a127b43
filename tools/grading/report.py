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

    `scores` has a row for each student, NaN where points are still to be given. Facility is the mean share of the
    points; discrimination the correlation of a question's points with those of all other questions. NaN is returned
    where there are no points, or the same for all.
    """
    facility, discrimination = {}, {}
    for i, question in enumerate(points):
        there = scores[~np.isnan(scores[:, i])]
        own, rest = there[:, i], np.nansum(np.delete(there, i, axis=1), axis=1)
        facility[question] = own.mean() / points[question] if len(own) else np.nan
        spread = len(own) > 2 and np.ptp(own) > 0 and np.ptp(rest) > 0
        discrimination[question] = np.corrcoef(own, rest)[0, 1] if spread else np.nan
    return facility, discrimination


def write(path, name, rows, points, results):
    """Write the page; from the result of each student it takes seconds and messages, by question."""
    from ntk_figures import figures

    counted = [row for row in rows if row["status"] != "ungradable"]
    scores = np.array([[np.nan if question in row["needs-manual"].split() else float(row[f"{question} (/{value:g})"])
                        for question, value in points.items()] for row in counted]).reshape(len(counted), len(points))
    facility, discrimination = statistics(points, scores)
    most, totals = sum(points.values()), np.nansum(scores, axis=1)
    parts = [f"<h1>{html.escape(name)}: {len(rows)} hand-ins</h1>", f"<p>{_counts(rows)}</p>"]
    if len(counted):
        fig, axes = figures.subplots(columns=2, size=(8.8, 3.1))
        axes[0].hist(totals, bins=np.linspace(0, most, min(int(most), 20) + 1), color=figures.BLUE)
        axes[0].set(xlabel="points", ylabel="students", xlim=(0, most))
        axes[1].barh(list(points), np.nan_to_num(list(facility.values())), color=figures.BLUE)
        axes[1].set(xlabel="facility", xlim=(0, 1))
        axes[1].set_yticks(range(len(points)), [question.split("-")[0] for question in points])
        axes[1].set_ylabel("question")
        axes[1].invert_yaxis()
        alt = f"Left: points of {len(counted)} students. Right: mean share of the points of each question."
        parts.append(figures.inline_svg(figures.svg(fig), alt, "report"))
        parts.append(f"<p>Points of {len(counted)} hand-ins that could be read, without any deduction for late work: "
                     f"mean {totals.mean():.1f}, median {np.median(totals):.1f} of {most:g}.</p>")
    lines = [_line("th", "question", "points", "to grade", "mean", "facility", "discrimination", "seconds, median",
                   "longest")]
    for i, question in enumerate(points):
        times = [result["seconds"][question] for result in results if question in result.get("seconds", {})]
        waiting = np.isnan(scores[:, i]).sum()
        lines.append(_line(
            "td", question, f"{points[question]:g}", waiting or "", _number(facility[question] * points[question]),
            _number(facility[question]), _number(discrimination[question]),
            f"{np.median(times):.2f}" if times else "", f"{max(times):.1f}" if times else ""))
    parts.append(f"<h2>Questions</h2><table>{''.join(lines)}</table>")
    parts.append("<p>Facility: mean share of the points, of those that are given. Discrimination: correlation "
                 "with the points of all other questions; near 0 or below, the question does not tell who knows the "
                 "subject, or its test is wrong.</p>\n<h2>What checks and tests said</h2>")
    parts += [part for question in points for part in _messages(question, results)]
    page = ('<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width">'
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
            f"<title>{html.escape(name)}: report</title><style>{STYLE}</style></head>\n"
            f"<body>{''.join(parts)}</body></html>\n")
    path.write_text(page, encoding="utf-8", errors="replace")


def _line(kind, first, *more):
    """Return a row of a table: a text, and what stands to the right under each other."""
    cells = "".join(f'<{kind} class="n">{value}</{kind}>' for value in more)
    return f"<tr><{kind}>{html.escape(first)}</{kind}>{cells}</tr>"


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
        lines = [_line("th", "for example", "students")] + [_line("td", texts[0], len(texts)) for texts in common]
        yield f"<h3>{html.escape(question)}</h3><table>{''.join(lines)}</table>"
