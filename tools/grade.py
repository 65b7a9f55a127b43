"""Grade a class: a folder with one folder a student, or the zip that a learning platform gives.

    python tools/grade.py ps3-ntk submissions.zip

Writes grades/ps3-ntk/: marks.csv, feedback/STUDENT.html, manual.csv (points that only a human can give: fill it in and
start again), a table for the learning platform, report.html, similar.csv, changes.txt. What is done already is not done
again. The inbox is only read.
"""
import argparse
import hashlib
import json
import os
import re
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import nbformat
import notebooks
import problem_sets
from grading import exports, intake, marks, page, report, sandbox, similar, student, tables

GRADES = notebooks.ROOT / "grades"
GRACE = 60  # seconds until a process is ended that should have ended by itself
STOPS = 5  # times that cells of one submission may take too much


def course_of(name, folder):
    """Write source and release of a set; return the folder and a hash of what grades."""
    text = notebooks.file_text(problem_sets.source(name))
    written = {module.__file__ for module in (exports, marks, report, similar, tables)}  # after grading
    tools = [path for path in sorted(Path(student.__file__).parent.glob("*.py")) if str(path) not in written]
    tools += [notebooks.ROOT / "tools" / f"{tool}.py" for tool in ("problem_sets", "formulas")]
    tools += [path for package in notebooks.PACKAGES for path in sorted(package.glob("*.py"))]
    key = notebooks.hash_files(tools, text)
    course = folder / "course"
    if not (course / key).exists():
        shutil.rmtree(course, ignore_errors=True)
        for kind, notebook in (("source", text), ("release", notebooks.file_text(
                problem_sets.release(problem_sets.source(name))))):
            path = course / kind / name / f"{name}.ipynb"
            path.parent.mkdir(parents=True)
            path.write_text(notebook, encoding="utf-8")
        (course / "formulas.css").write_text(page.font_of(problem_sets.source(name)))
        (course / key).touch()
    return course, key


def hash_of(submission):
    """Return a hash of what was handed in."""
    result = hashlib.sha256()
    for file in submission.files:
        try:
            content = file.read()
        except (intake.Ungradable, OSError) as error:
            content = str(error).encode()
        result.update(repr((file.name, file.member, file.time)).encode() + hashlib.sha256(content).digest())
    return result.hexdigest()


def folder_of(name):
    """Return a folder's name for a student's: any name may come, and no two may meet."""
    safe = re.sub(r"[^\w.-]+", "_", name).strip(".")[:60] or "_"
    return safe if safe == name else f"{safe}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def look_after(job, context):
    """Run one job in its own process, stop it if it takes too much; return its result and the seconds it took."""
    folder = Path(job.folder)
    student.clean_up(folder)  # of a run that was killed
    for name in ("log.txt", "stopped"):
        (folder / name).unlink(missing_ok=True)
    process = context.Process(target=student.run, args=(job,))
    process.start()
    start, why, cpu, stops = time.monotonic(), "", 0.0, 0
    while process.is_alive() and not why:
        process.join(0.3)
        cpu = max(cpu, processor(process.pid))
        seconds = time.monotonic() - start
        if seconds > job.limits.wall + GRACE:
            why = f"stopped after {seconds:.0f} s"
        elif reason := excess(process.pid, folder, job.limits):
            stops += 1
            (folder / "stopped").write_text(reason)
            kill_children(process.pid)  # the kernel: the cell that takes too much is left out, the others go on
            why = reason if stops > STOPS else ""
    kill_children(process.pid)
    process.kill()
    process.join()
    student.clean_up(folder)
    for _ in range(2):  # without the code; then without the notebook, should that end the process
        result = student.read_result(folder)
        if result and result["key"] == job.key:
            break
        process = context.Process(target=student.run, args=(job, why or f"the grader ended ({process.exitcode})"))
        process.start()
        process.join(GRACE)
        process.kill()
        process.join()
    return student.read_result(folder), cpu


def kill_children(pid):
    """End the processes that a process started."""
    import psutil

    with suppress(psutil.Error):
        for child in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.Error):
                child.kill()


def processor(pid):
    """Return the seconds of processor time that a process and its children have used so far."""
    import psutil

    total = 0.0
    with suppress(psutil.Error):
        for one in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
            with suppress(psutil.Error):
                total += sum(one.cpu_times()[:2])
    return total


def excess(pid, folder, limits):
    """Return what a submission takes too much of, or an empty text."""
    import psutil

    memory = written = 0
    with suppress(psutil.Error, OSError):
        children = psutil.Process(pid).children(recursive=True)
        if len(children) > limits.processes:
            return f"more than {limits.processes} processes"
        memory = sum(child.memory_info().rss for child in [psutil.Process(pid), *children])
        runtime = (folder / "runtime").read_text()
        files = [os.path.join(place, name) for place, _, names in os.walk(runtime) for name in names]
        written = sum(os.lstat(file).st_size for file in files)
    if memory > limits.memory:
        return f"more than {limits.memory >> 20} MB of memory"
    return f"wrote more than {limits.folder >> 20} MB" if written > limits.folder else ""


@contextmanager
def alone(folder):
    """Let nobody else grade into a folder at the same time."""
    import psutil

    path, me, other = folder / "running", psutil.Process(), False
    with suppress(OSError, ValueError, psutil.Error):
        pid, born = path.read_text().split()
        other = int(pid) != me.pid and psutil.Process(int(pid)).create_time() == float(born)
    if other:
        raise PermissionError(f"another run (process {pid}) grades into {folder}: wait for its end")
    path.write_text(f"{me.pid} {me.create_time()}")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def clean(folder):
    """Remove what a run that was killed left in the system's temporary folder."""
    for place in folder.glob("students/*/runtime"):
        student.clean_up(place.parent)


def handed_in(folder):
    """Return what is known from earlier runs of each student that has a result: {student: dictionary}."""
    known = {}
    for path in folder.glob("students/*/handed-in.json"):
        with suppress(OSError, ValueError):
            about = json.loads(path.read_text(encoding="utf-8"))
            if student.read_result(path.parent):
                known[about["student"]] = about
    return known


def grade(name, inbox, folder, limits=sandbox.Limits(), jobs=2, sandboxed=True, *,  # noqa: B008
          rule=marks.Rule(), only=(), anonymous=False, roster=None, item=""):  # noqa: B008
    """Grade an inbox into `folder`; return the rows of marks.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    clean(folder)
    course, key = course_of(name, folder)
    points = marks.questions(nbformat.read(course / "source" / name / f"{name}.ipynb", as_version=4))
    found, before = intake.collect(inbox, name), handed_in(folder)
    for path, why in found.aside:
        print(f"Left aside: {path} ({why}).")
    names = marks.Names(folder, anonymous, {*before, *(one.student for one in found.submissions)})
    submissions = found.submissions
    if only:
        wanted = {text: {one.student for one in submissions if one.student == names.real(text) or one.person == text}
                  for text in only}
        if absent := [text for text, who in wanted.items() if not who]:
            raise FileNotFoundError(f"{inbox} does not hold all of: {', '.join(absent)} (names are those of marks.csv)")
        submissions = [one for one in submissions if one.student in set().union(*wanted.values())]
        for one in submissions:
            (folder / "students" / folder_of(one.student) / "result.json").unlink(missing_ok=True)
    manual = marks.read_manual(folder / "manual.csv", points, names)
    people = before | {one.student: _about(one, roster, before.get(one.student)) for one in submissions}

    todo, again = [], {}
    for one in submissions:
        place, about = folder / "students" / folder_of(one.student), people[one.student]
        place.mkdir(parents=True, exist_ok=True)
        given, old = manual.given.get(one.student, {}), before.get(one.student)
        if not old:
            _remember(place, about, {})
        elif old["files"] != about["files"]:
            again[one.student], given = given, {}  # points for other answers: which of them stay is seen afterwards
        key_of = hashlib.sha256(f"{key} {about['files']}".encode()).hexdigest()
        todo.append(student.Job(name, one, str(course), str(place), key_of, given, limits, sandboxed))
    earlier = sorted(set(before) - {one.student for one in found.submissions})
    if earlier:
        print(f"Handed in with an earlier inbox, and kept: {_some(earlier, names)}.")
    for one in sorted(set(before) - {one.student for one in submissions}):
        place = folder / "students" / folder_of(one)  # of an earlier inbox: there may be new points by hand
        files = tuple(intake.File(*file) for file in before[one]["seen"])  # for pictures, if they are still there
        todo.append(student.Job(name, intake.Submission(one, before[one]["id"], files), str(course), str(place),
                                student.read_result(place)["key"], manual.given.get(one, {}), limits, sandboxed))
    results = {job.submission.student: known for job in todo if (known := _done(job))}
    print(f"{name}: {len(todo)} submissions, {len(results)} graded before.", flush=True)
    results |= _run([job for job in todo if job.submission.student not in results], jobs, names)

    outdated, kept = {}, []
    for job in todo:
        one = job.submission.student
        if one in again:
            same = _hashes(results[one])
            keep = {question: value for question, value in again[one].items()
                    if before[one]["answers"].get(question) == same.get(question)}
            kept += [job._replace(manual=keep)] if keep else []
            outdated[one] = {*again[one], marks.REVIEW, marks.LATE} - set(keep)
            lost = "; points for answers that changed are asked for again" if len(keep) < len(again[one]) else ""
            print(f"{names.shown(one)}: other files than before{lost}.")
            manual.accepted.pop(one, None)
            manual.late.pop(one, None)
    results |= _run(kept, jobs, names)
    rows = marks.table(results, points, people, manual, rule)
    if unknown := marks.without_time(people, manual.late, rule):
        print(f"Late or not? Nothing tells, so they count as in time: {_some(unknown, names)}. What tells: --due, with "
              "Moodle's grading worksheet as --roster; or lines `late` in manual.csv.")
    _write(name, folder, course, points, rows, results, names)
    if not names.anonymous:
        exports.write(folder, item or name, rows, people, sum(points.values()))
        exports.give_back(folder, rows, people, lambda one: folder / "feedback" / f"{folder_of(one)}.html")
        if roster:
            unknown, absent = roster.fill(folder, rows, people)
            print(f"{roster.path.name}: {len(absent)} of the class handed in nothing.")
            if unknown:
                print(f"Not in {roster.path.name}, or there more than once: {', '.join(unknown)}.", file=sys.stderr)
    marks.ask_again(folder / "manual.csv", outdated, names)
    marks.extend_manual(folder / "manual.csv", rows, points, names)
    for one, result in results.items():  # at the very end: a run that is killed before finds it as it was
        _remember(folder / "students" / folder_of(one), people[one], _hashes(result))
    for warning in manual.warnings:
        print(warning, file=sys.stderr)
    return rows


def _some(students, names):
    return f"{len(students)} ({', '.join(map(names.shown, students[:5]))}{', …' if len(students) > 5 else ''})"


def _about(one, roster, old):
    """Return what is to be remembered of a hand-in; `old` is what is known of the one before."""
    about = {"student": one.student, "person": one.person, "id": one.id, "platform": one.platform, "late": one.late,
             "time": one.time, "files": hash_of(one), "seen": one.files}
    told = roster.time(about) if roster else old["time"] if old and old["files"] == about["files"] else ""
    return about | {"time": about["time"] or told}


def _remember(place, about, answers):
    new = place / "handed-in.new"
    new.write_text(json.dumps(about | {"answers": answers}, indent=1), encoding="utf-8")
    new.replace(place / "handed-in.json")


def _hashes(result):
    """Return a hash of each answer."""
    return {question: hashlib.sha256(text.strip().encode()).hexdigest()
            for question, text in result.get("answers", {}).items()}


def _done(job):
    """Return the result of a job if nothing has changed since, or None."""
    known = student.read_result(job.folder)
    given = {question: list(value) for question, value in job.manual.items()}
    return known if known and known["key"] == job.key and known["manual"] == given else None


def _run(todo, jobs, names):
    """Run jobs, some at once; return the results by student."""
    import multiprocessing

    # A forked process is there at once, with everything imported; the server forks them from a clean state.
    context = multiprocessing.get_context("forkserver" if sys.platform != "win32" else "spawn")
    if sys.platform != "win32":
        os.environ["PYTHONPATH"] = str(Path(__file__).parent)  # or the server does not find it, and keeps quiet
        context.set_forkserver_preload(["grading.student"])
    pool, results = ThreadPoolExecutor(jobs), {}
    try:
        running = {pool.submit(look_after, job, context): job for job in todo}
        for count, future in enumerate(as_completed(running), 1):
            job, (result, cpu) = running[future], future.result()
            results[job.submission.student] = result
            print(f"{count:4} of {len(todo)}: {names.shown(job.submission.student)}: {result['status']}"
                  f"{', ' if result['reason'] else ''}{result['reason']} ({cpu:.1f} s CPU)", flush=True)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return results


def _write(name, folder, course, points, rows, results, names):
    """Write feedback, marks, the report, and the table of answers that are alike."""
    feedback = folder / "feedback"
    feedback.mkdir(exist_ok=True)
    for one in results:
        shown = names.shown(one)
        for other in {one, names.numbers.get(one, one)} - {shown}:  # of a run with names, or with numbers
            (feedback / f"{folder_of(other)}.html").unlink(missing_ok=True)
        shutil.copy(folder / "students" / folder_of(one) / "feedback.html", feedback / f"{folder_of(shown)}.html")
    changes = marks.write_marks(folder, rows, names)
    if changes:
        print(f"Rows of marks.csv that are new or have changed: {len(changes)}; see {folder / 'changes.txt'}.")
    report.write(folder / "report.html", name, rows, points, list(results.values()))
    release = nbformat.read(course / "release" / name / f"{name}.ipynb", as_version=4)
    alike = similar.pairs({names.shown(one): result.get("answers", {}) for one, result in results.items()}, release)
    tables.write(folder / "similar.csv", list(alike[0]) if alike else ["student", "other"], alike)


def rule_of(options, folder):
    """Return the rule for late work: what the options say, or else said in an earlier run."""
    path = folder / "rule.json"
    if options.due or options.grace or options.penalty is not None:
        path.write_text(json.dumps([options.due and options.due.isoformat(), options.grace, options.penalty or 0]))
    elif not path.exists():
        return marks.Rule()
    due, grace, percent = json.loads(path.read_text())
    print(f"Late work: due {due or 'as the platform says'}, {grace:g} minutes of grace, {percent:g} % for a day.")
    return marks.Rule(due and datetime.fromisoformat(due), grace, percent)


def moment(text):
    """Return a time of the clock that the platform shows."""
    return datetime.fromisoformat(text).replace(tzinfo=None)


def main(arguments=None):
    """Grade; return the exit code."""
    parser = argparse.ArgumentParser(description="Grade a class.")
    parser.add_argument("set", help="name of the problem set, ps3-ntk for example")
    parser.add_argument("inbox", type=Path, help="folder with one folder a student, or a bulk download (zip)")
    parser.add_argument("--jobs", type=int, default=2, help="submissions at once (2)")
    parser.add_argument("--seconds", type=int, default=30, help="time limit of a cell (30)")
    parser.add_argument("--output", type=Path, default=GRADES, help="where the folder of the set is made (grades)")
    parser.add_argument("--due", type=moment, metavar="TIME",
                        help="2026-03-01T23:59, for example; this and the next two are remembered")
    parser.add_argument("--grace", type=float, default=0, metavar="MINUTES", help="not late yet (0)")
    parser.add_argument("--penalty", type=float, metavar="PERCENT",
                        help="of the set's points, taken off for each day late that has begun (0)")
    parser.add_argument("--student", action="append", default=[], help="grade this one again, and nobody else")
    parser.add_argument("--anonymous", action="store_true", help="write numbers in place of names")
    parser.add_argument("--roster", type=Path, metavar="FILE",
                        help="the gradebook that your platform exports: is written again with the marks in it")
    parser.add_argument("--item", default="", help="what the platform calls the mark (the set's name)")
    parser.add_argument("--no-sandbox", action="store_true",
                        help="run students' code unprotected, with your rights: for code that you trust")
    options = parser.parse_args(arguments)
    if not options.no_sandbox and (problem := sandbox.available()):
        print(f"Nothing was run: {problem}. Students' code would run with your rights; "
              "--no-sandbox takes that risk.", file=sys.stderr)
        return 1
    folder = options.output.resolve() / options.set
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder):
            rows = grade(options.set, options.inbox, folder, sandbox.Limits(cell=options.seconds), options.jobs,
                         not options.no_sandbox, rule=rule_of(options, folder),
                         only=options.student, anonymous=options.anonymous, item=options.item,
                         roster=options.roster and exports.Roster(options.roster, options.item or options.set))
    except (problem_sets.Mistake, tables.BadTable, FileNotFoundError, PermissionError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted: start again to go on.", file=sys.stderr)
        return 130
    counts = {status: sum(row["status"] == status for row in rows) for row in rows for status in (row["status"],)}
    print(", ".join(f"{count} {status}" for status, count in sorted(counts.items())))
    waiting = sum(bool(row["needs-manual"]) for row in rows)
    print(f"Marks: {folder / 'marks.csv'}. To be graded or decided by hand: {waiting} students, in "
          f"{folder / 'manual.csv'}{'; fill in points, then run the same command again' if waiting else ''}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
