"""A ClickHouse server of 2018, as Debian packages it: what a server says that knows nothing of what is asked of it."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.ports import kept_port
from tests.waiting import HANG, eventually

PROGRAM = shutil.which("clickhouse-server") or ""
"""`.ci/run` installs it; empty where it is not."""
_CONFIG = """<yandex>
<logger><level>warning</level><log>{folder}/log</log><errorlog>{folder}/errors</errorlog></logger>
<http_port>{port}</http_port><listen_host>127.0.0.1</listen_host>
<path>{folder}/data/</path><tmp_path>{folder}/tmp/</tmp_path><mark_cache_size>67108864</mark_cache_size>
<users_config>{folder}/users.xml</users_config>
<default_profile>default</default_profile><default_database>default</default_database>
</yandex>"""
_USERS = """<yandex>
<profiles><default></default></profiles><quotas><default></default></quotas>
<users><default>
<password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>
</default><closed>
<password>secret</password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>
</closed></users>
</yandex>"""


@contextlib.contextmanager
def old_clickhouse(folder: Path) -> Iterator[dict[str, str]]:
    """The settings of a connection to a server that keeps everything in `folder`.

    Its user has no password, since none goes to a server without TLS; that of `closed` has one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with kept_port() as port:
        (folder / "config.xml").write_text(_CONFIG.format(folder=folder, port=port))
        (folder / "users.xml").write_text(_USERS)
        output = subprocess.DEVNULL
        program = subprocess.Popen(
            [PROGRAM, f"--config-file={folder}/config.xml"], cwd=folder, stdout=output, stderr=output
        )
        try:
            eventually(lambda: _listens(port))
            yield {
                "host": "127.0.0.1",
                "port": str(port),
                "database": "default",
                "username": "default",
                "tls": "disable",
            }
        finally:
            program.terminate()
            program.wait(HANG)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), HANG):
        return True
    return False
