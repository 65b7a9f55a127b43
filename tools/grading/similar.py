"""Pairs of hand-ins whose answers are alike: a table to look at, never a verdict."""
import io
import keyword
import re
import tokenize
from contextlib import suppress

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import Indel

SHORTEST = 15  # tokens; shorter answers are alike by chance


def pairs(answers, release, most=40):
    """Return rows for the pairs most alike; `answers` is {student: {question: text}}, `release` a notebook.

    What was handed out is taken away, and names of variables do not count. A question counts by how far two answers
    are more alike than two answers in this class usually are.
    """
    students = sorted(student for student, texts in answers.items() if texts)
    cells = {cell.metadata.nbgrader.grade_id: cell for cell in release.cells if cell.metadata.nbgrader.solution}
    above = possible = np.zeros((len(students), len(students)))
    alphabet, shown = {}, {}
    for question, cell in cells.items():
        signs = [_signs(answers[student].get(question, ""), cell, alphabet) for student in students]
        length = np.minimum.outer(*[np.array([len(sign) for sign in signs], int)] * 2)
        long, alike = length >= SHORTEST, process.cdist(signs, signs, scorer=Indel.normalized_similarity)
        upper = np.triu(long, 1)
        usual = min(np.median(alike[upper]), 0.9) if upper.sum() > 2 else 0  # the same text is never usual
        above = above + np.where(long, np.maximum(alike - usual, 0) * length, 0)
        possible = possible + np.where(long, (1 - usual) * length, 0)
        shown[question] = np.where(long, alike, np.nan)
    score = above / np.maximum(possible, 1)
    first, second = np.triu_indices(len(students), 1)
    order = np.argsort(-score[first, second], kind="stable")[:most]
    return [{"student": students[i], "other": students[j], "beyond the usual": f"{score[i, j]:.0%}",
             **{question: "" if np.isnan(alike[i, j]) else f"{alike[i, j]:.0%}" for question, alike in shown.items()}}
            for i, j in zip(first[order], second[order]) if score[i, j] > 0.3]


def _signs(text, cell, alphabet):
    """Return a text as a string with one sign for each of its tokens, without lines that were handed out."""
    given = {line.strip() for line in cell.source.splitlines()}
    text = "\n".join(line for line in text.splitlines() if line.strip() not in given)
    tokens = re.findall(r"\w+", text.casefold())
    if cell.cell_type == "code":
        with suppress(tokenize.TokenError, SyntaxError):
            tokens = ["name" if token.type == tokenize.NAME and not keyword.iskeyword(token.string) else
                      token.string.strip() for token in tokenize.generate_tokens(io.StringIO(text).readline)
                      if token.type != tokenize.COMMENT]
    return "".join(alphabet.setdefault(token, chr(0x10000 + len(alphabet))) for token in tokens if token)
