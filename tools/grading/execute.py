"""Runs a notebook so that no cell takes another one's turn: one that ends the kernel or does not end is left out."""
import copy
import hashlib
import os
import subprocess
import time
from collections import Counter
from typing import NamedTuple

import nbformat
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError

from . import sandbox
from .cells import question_of

KERNELS = 8  # for one notebook
NOT_RUN = "not run"
FORGED = "answered twice (its reply was forged)"


class Ran(NamedTuple):
    """What became of a code cell."""

    seconds: float
    failed: bool
    stopped: str  # why it did not come to its end, or ""


class _OneSpec(KernelSpecManager):
    """Knows how the kernel is started; no file says so, which code of a student's could write."""

    def __init__(self, argv, environment):
        super().__init__()
        self.spec = KernelSpec(argv=argv, env=environment, language="python", interrupt_mode="message")

    def get_kernel_spec(self, kernel_name):
        return self.spec


def run(notebook, runtime, limits, sandboxed, why):
    """Run the cells of a notebook and write their outputs into it; return what became of each.

    Where a cell ends the kernel, or cannot be interrupted, a new kernel is given the cells before it again, and goes
    on after it. ``why()`` says what whoever watches over memory and processes had to stop, or "".
    """
    todo = [(place, cell) for place, cell in enumerate(notebook.cells)
            if cell.cell_type == "code" and cell.source.strip()]
    tests = [hashlib.sha256(cell.source.encode()).hexdigest() for _, cell in todo if is_test(cell)]
    ran, out, kernels, end = {}, set(), 0, time.monotonic() + limits.wall
    while len(ran) < len(todo) and kernels < KERNELS and time.monotonic() < end:
        kernels += 1
        folder = os.path.join(runtime, str(kernels))
        os.mkdir(folder)
        client = _client(notebook, folder, limits, sandboxed, tests)
        client.timeout_func = lambda cell: _seconds(cell, ran, limits, end)
        asked, replies = {}, Counter()
        with client.setup_kernel(cleanup_kc=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            _count_replies(client.kc.shell_channel, replies)
            for place, cell in todo:
                if cell.id in out:
                    continue
                if time.monotonic() > end:
                    break
                known, start = cell.id in ran, time.monotonic()
                stopped, failed, alive = _cell(client, copy.deepcopy(cell) if known else cell, place, asked)
                if not known:
                    stopped = stopped and (why() or stopped)
                    ran[cell.id] = Ran(time.monotonic() - start, failed, stopped)
                    if stopped:
                        _say(cell, stopped)
                if stopped:
                    out.add(cell.id)
                if not alive:
                    break
        for name in (name for name, request in asked.items() if replies[request] > 1):
            ran[name] = ran[name]._replace(failed=True, stopped=FORGED)
    for _, cell in todo:
        if cell.id not in ran:
            ran[cell.id] = Ran(0.0, True, NOT_RUN)
            _say(cell, NOT_RUN)
    return ran


def is_test(cell):
    """Say whether a cell of the restored notebook is a test."""
    about = cell.metadata.get("nbgrader", {})
    return bool(about.get("grade")) and not about.get("solution")


def _seconds(cell, ran, limits, end):
    """Return how long a cell may take: less where another one of the same question did not end."""
    late = any(one.stopped and question_of(name) == question_of(cell.id) for name, one in ran.items())
    return max(1, min(limits.cell // 5 if late else limits.cell, end - time.monotonic()))


def _count_replies(channel, replies):
    """Count what comes, by request: code in a cell can send a reply of its own, the kernel's still follows."""
    get = channel.get_msg

    async def counted(**options):
        message = await get(**options)
        replies[message["parent_header"].get("msg_id")] += 1
        return message

    channel.get_msg = counted


def _cell(client, cell, place, asked):
    """Run a cell; return why it was stopped, or "", whether it failed, and whether the kernel is of use still.

    `asked` is told which request it was.
    """
    reply, late = {}, f"stopped after {client.timeout_func(cell):.0f} s"

    def answered(cell, cell_index, execute_reply):
        reply.update(execute_reply["content"])
        asked[cell.id] = execute_reply["parent_header"]["msg_id"]

    client.on_cell_executed = answered
    try:
        client.execute_cell(cell, place)
    except CellTimeoutError:
        return late, True, False
    except DeadKernelError:
        return "ended its process", True, False
    if reply.get("ename") != "CellTimeoutError":
        late = ""
    failed = [output for output in cell.outputs if output.output_type == "error"]
    if reply["status"] == "error" and not failed and not late:
        cell.outputs.append(nbformat.v4.new_output("error", ename=reply["ename"], evalue=reply["evalue"],
                                                   traceback=[f"{reply['ename']}: {reply['evalue']}"]))
    return late, bool(failed) or reply["status"] == "error", True


def _say(cell, text):
    cell.setdefault("outputs", []).append(
        nbformat.v4.new_output("error", ename="Stopped", evalue=text, traceback=[text]))


def _client(notebook, folder, limits, sandboxed, tests):
    """Return what runs cells in a kernel of its own, whose files are in `folder`."""
    manager = AsyncKernelManager(
        kernel_spec_manager=_OneSpec(*sandbox.kernel(folder, limits, sandboxed, tests)),
        connection_file=os.path.join(folder, "kernel.json"))
    if os.name != "nt":
        manager.transport, manager.ip = "ipc", os.path.join(folder, "k")
    return NotebookClient(
        nbformat.v4.new_notebook(cells=list(notebook.cells)), manager, allow_errors=True, interrupt_on_timeout=True,
        error_on_timeout={"ename": "CellTimeoutError", "evalue": "", "traceback": []}, startup_timeout=120,
        shutdown_kernel="immediate", iopub_timeout=10, raise_on_iopub_timeout=True)
