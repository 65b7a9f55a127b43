"""Settings for running the notebooks under nbval."""
import os

import notebooks
from nbval.kernel import RunningKernel

# Before any kernel starts: chapters are tested as the book is built, under the book's own seed.
os.environ.update(notebooks.kernel_environment())
os.environ.pop("NTK_SEED", None)


def _execute(self, source, allow_stdin=None):
    return self.kc.execute(source, store_history=True, allow_stdin=allow_stdin, stop_on_error=False)


# nbval's own says store_history=False, and then IPython ignores a trailing ";".
RunningKernel.execute_cell_input = _execute


def pytest_collectstart(collector):
    if hasattr(collector, "skip_compare"):  # a notebook
        collector.skip_compare += notebooks.PICTURES
