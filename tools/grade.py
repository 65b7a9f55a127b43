"""Grade a class: a folder with one folder a student, or the zip that a learning platform gives.

    python tools/grade.py ps3-ntk submissions.zip

Writes grades/ps3-ntk/: marks.csv, feedback/STUDENT.html, manual.csv (points that only a human can give: fill it in and
start again), canvas.csv and moodle.csv. What is done already is not done again. The inbox is only read.
"""
import argparse
import hashlib
import os
import re
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path

import nbformat
import notebooks
import problem_sets
from grading import intake, marks, page, sandbox, student

GRADES = notebooks.ROOT / "grades"
GRACE = 60  # seconds until a process is ended that should have ended by itself
STOPS = 5  # times that cells of one submission may take too much


def course_of(name, folder):
    """Write source and release of a set; return the folder and a hash of what grades."""
    text = notebooks.file_text(problem_sets.source(name))
    tools = [*Path(student.__file__).parent.glob("*.py"), *(notebooks.ROOT / "tools" / f"{tool}.py" for tool in
                                                            ("problem_sets", "formulas")),
             *(notebooks.ROOT / "ntk_helpers").glob("*.py")]
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


def key_of(submission, key):
    """Return a hash of what was handed in and of what grades it."""
    result = hashlib.sha256(key.encode())
    for file in submission.files:
        try:
            content = file.read()
        except (intake.Ungradable, OSError) as error:
            content = str(error).encode()
        result.update(repr((file.name, file.member)).encode() + hashlib.sha256(content).digest())
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


def grade(name, inbox, folder, limits=sandbox.Limits(), jobs=2, sandboxed=True):  # noqa: B008
    """Grade an inbox into `folder`; return the rows of marks.csv."""
    import multiprocessing

    folder.mkdir(parents=True, exist_ok=True)
    course, key = course_of(name, folder)
    points = marks.questions(nbformat.read(course / "source" / name / f"{name}.ipynb", as_version=4))
    submissions = intake.collect(inbox)
    manual = marks.read_manual(folder / "manual.csv", points, {one.student for one in submissions})
    # A forked process is there at once, with everything imported; the server forks them from a clean state.
    context = multiprocessing.get_context("forkserver" if sys.platform != "win32" else "spawn")
    if sys.platform != "win32":
        os.environ["PYTHONPATH"] = str(Path(__file__).parent)  # or the server does not find it, and keeps quiet
        context.set_forkserver_preload(["grading.student"])
    todo, results = [], {}
    for one in submissions:
        place = folder / "students" / folder_of(one.student)
        place.mkdir(parents=True, exist_ok=True)
        job = student.Job(name, one, str(course), str(place), key_of(one, key), manual.get(one.student, {}), limits,
                          sandboxed)
        known = student.read_result(place)
        given = {question: list(value) for question, value in job.manual.items()}
        if known and known["key"] == job.key and known["manual"] == given:
            results[one.student] = known
        else:
            todo.append(job)
    print(f"{name}: {len(submissions)} submissions, {len(results)} graded before.", flush=True)
    pool = ThreadPoolExecutor(jobs)
    try:
        running = {pool.submit(look_after, job, context): job for job in todo}
        for count, future in enumerate(as_completed(running), 1):
            job, (result, cpu) = running[future], future.result()
            results[job.submission.student] = result
            print(f"{count:4} of {len(todo)}: {job.submission.student}: {result['status']}"
                  f"{', ' if result['reason'] else ''}{result['reason']} ({cpu:.1f} s CPU)", flush=True)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    feedback = folder / "feedback"
    feedback.mkdir(exist_ok=True)
    for one in submissions:
        place = folder_of(one.student)
        shutil.copy(folder / "students" / place / "feedback.html", feedback / f"{place}.html")
    return marks.write_all(folder, name, results, points, {one.student: one.id for one in submissions})


def main(arguments=None):
    """Grade; return the exit code."""
    parser = argparse.ArgumentParser(description="Grade a class.")
    parser.add_argument("set", help="name of the problem set, ps3-ntk for example")
    parser.add_argument("inbox", type=Path, help="folder with one folder a student, or a bulk download (zip)")
    parser.add_argument("--jobs", type=int, default=2, help="submissions at once (2)")
    parser.add_argument("--seconds", type=int, default=30, help="time limit of a cell (30)")
    parser.add_argument("--output", type=Path, default=GRADES, help="where the folder of the set is made (grades)")
    parser.add_argument("--no-sandbox", action="store_true",
                        help="run students' code unprotected, with your rights: for code that you trust")
    options = parser.parse_args(arguments)
    if not options.no_sandbox and (problem := sandbox.available()):
        print(f"Nothing was run: {problem}. Students' code would run with your rights; "
              "--no-sandbox takes that risk.", file=sys.stderr)
        return 1
    folder = options.output.resolve() / options.set
    try:
        rows = grade(options.set, options.inbox, folder, sandbox.Limits(cell=options.seconds), options.jobs,
                     not options.no_sandbox)
    except (problem_sets.Mistake, marks.BadTable, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted: start again to go on.", file=sys.stderr)
        return 130
    counts = {status: sum(row["status"] == status for row in rows) for row in rows for status in (row["status"],)}
    print(", ".join(f"{count} {status}" for status, count in sorted(counts.items())))
    print(f"Marks: {folder / 'marks.csv'}. To be graded by hand: {sum(bool(row['needs-manual']) for row in rows)} "
          f"students, in {folder / 'manual.csv'}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
