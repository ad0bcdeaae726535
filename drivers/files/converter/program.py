"""The task on the standard input, within limits of memory, time and room; the answer on the standard output.

Whatever a file does to its reader, it does it here: a workbook of two kilobytes can ask for all memory of the machine,
and for a minute of the processor.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import sys
from collections.abc import Callable, Mapping
from typing import Any

from drivers.files.converter import delimited, json_texts, workbooks
from drivers.files.converter.output import Refused, encoding_refused

#: A task is its `kind`, the `path` of the file, the `folder` to write into, and what its function reads; each function
#: gives back the tables: name, file, number of rows, and names and kinds of values of the columns where it knows them.
TASKS: Mapping[str, Callable[[dict[str, Any]], list[dict[str, Any]]]] = {
    "csv": delimited.convert,
    "xlsx": workbooks.convert,
    "jsonl": json_texts.convert,
}


def main() -> None:
    """Do the task that stands on the standard input."""
    task: dict[str, Any] = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_AS, (task["memory"], task["memory"]))
    resource.setrlimit(resource.RLIMIT_CPU, (task["seconds"], task["seconds"]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (task["bytes"], task["bytes"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(5)
    try:
        answer: dict[str, Any] = {"made": TASKS[task["kind"]](task)}
    except Refused as refused:
        answer = refused.answer
    except UnicodeDecodeError:
        answer = encoding_refused(task).answer
    except RecursionError:
        answer = Refused("path", "file_structure", "values are nested too deep").answer
    except (MemoryError, OSError) as problem:
        if isinstance(problem, OSError) and problem.errno in (errno.ENOSPC, errno.EDQUOT):
            answer = {"full": True}
        else:
            answer = Refused("path", "too_big", type(problem).__name__).answer
    json.dump(answer, sys.stdout)
