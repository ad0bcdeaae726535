"""The folder of what is made of files stays while a worker of the server comes or goes (facts/security 7 "Soak")."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

# As the server does it: the app is loaded, then workers are forked, and each of them ends by itself one day.
SERVER = """
import os, sys
from drivers.files.prepared import Temporary

kept = Temporary.file()
if not os.fork():
    of_worker = Temporary.file()
    sys.exit()
os.wait()
another = Temporary.folder()
print(kept.path.exists(), another.path.exists(), kept.path.parent)
"""


def test_a_worker_that_ends_leaves_the_folder_to_the_others() -> None:
    answer = subprocess.run([sys.executable, "-c", SERVER], cwd=ROOT, capture_output=True, text=True, check=True)
    there, made, folder = answer.stdout.split()
    assert (there, made) == ("True", "True")
    # The server itself takes it along.
    assert not Path(folder).exists()
