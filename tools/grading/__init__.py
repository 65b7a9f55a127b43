"""Grading of a class: intake, sandbox, one student's run, marks. The command is tools/grade.py."""
