"""Guards that are taken away one by one, in a copy: the tests nearest to each have to notice.

    .venv/bin/python -m tests.security.guards [NAME ...]       # what `make guards` runs

A guard is a few characters of a module and what stands in their place while it is away. Whoever moves or renames one
changes its row; `test_guards.py` fails for a row that fits nowhere any more.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 300
# A test that hangs without the guard has noticed it sooner than one that waits for a starved machine.
QUICK = {**os.environ, "HANG_SECONDS": "20"}


@dataclass(frozen=True)
class Guard:
    """What `module` guards by `code`, which becomes `without`; `tests` are pytest's arguments for the nearest ones."""

    name: str
    module: str
    code: str
    without: str
    tests: str


GUARDS = (
    # Where connections lead
    Guard(
        "a PostgreSQL server's address is compared after login",
        "drivers/postgresql/connection.py",
        "        if peer.getpeername()[0] not in target.addresses:",
        "        if False:",
        "tests/drivers/test_peers.py",
    ),
    Guard(
        "a socket's peer is compared after connecting",
        "egress/sockets.py",
        "if ipaddress.ip_address(connection.getpeername()[0]) != ipaddress.ip_address(address):",
        "if False:",
        "tests/egress/test_sockets.py",
    ),
    Guard(
        "all addresses of a name are checked",
        "egress/policy.py",
        "        for address in addresses:\n            self._check_address(",
        "        for address in addresses[:1]:\n            self._check_address(",
        "tests/egress/test_policy.py",
    ),
    Guard(
        "metadata services are closed",
        "egress/policy.py",
        'if kind == "metadata":',
        "if False:",
        "tests/egress/test_policy.py",
    ),
    Guard(
        "the app's own database is closed",
        "egress/policy.py",
        "if not is_named and ((host, port) in self._own or self._leads_to(self._own, address, port)):",
        "if False:",
        "tests/egress/test_policy.py tests/test_app.py",
    ),
    Guard(
        "private addresses are closed",
        "egress/policy.py",
        'if kind == "special" or (kind == "private" and self.name != "allow-private"):',
        "if False:",
        "tests/egress/test_policy.py",
    ),
    Guard(
        "a name is resolved once for a call",
        "egress/policy.py",
        "            if (host, port) not in answers:",
        "            if True:",
        "tests/egress/test_policy.py",
    ),
    Guard(
        "translated addresses are unwrapped",
        "egress/addresses.py",
        "if any(_within(inner, _METADATA) for inner in (address, *_translated(address))):",
        "if _within(address, _METADATA):",
        "tests/egress/test_addresses.py",
    ),
    Guard(
        "plain HTTP is for declared portals",
        "egress/http.py",
        "        if not isinstance(connection, HTTPSConnection) and not is_declared:",
        "        if False:",
        "tests/egress/test_http.py",
    ),
    Guard(
        "proxies are ignored",
        "egress/http.py",
        "verify=verify, cert=cert, proxies=None)",
        "verify=verify, cert=cert, proxies=proxies)",
        "tests/egress/test_http.py",
    ),
    Guard(
        "what is held too late is cut at once",
        "egress/deadline.py",
        "            if self.is_over:\n                _shut(handle)",
        "            if False:\n                _shut(handle)",
        "tests/egress/test_deadline.py",
    ),
    Guard(
        "a silent server is given up",
        "egress/deadline.py",
        "elif self._is_given_up is not None and (silence := self._silence()) and self._is_given_up(silence):",
        "elif False:",
        "tests/egress/test_silence.py -k deadline",
    ),
    Guard(
        "local files stay below their folder",
        "drivers/local_files.py",
        "if not real.is_relative_to(root):",
        "if False:",
        "tests/drivers -k folder",
    ),
    # What servers may get and do
    Guard(
        "PostgreSQL gets no clear password unless verified",
        "drivers/postgresql/connection.py",
        'options["require_auth"] = "!password"',
        "pass",
        "tests/drivers/test_logins.py -k postgresql",
    ),
    Guard(
        "MySQL gets no clear password unless verified",
        "drivers/mysql/protocol.py",
        'refused = dict.fromkeys((b"mysql_clear_password", b"dialog"), ClearPasswordRefused)',
        "refused = {}",
        "tests/drivers/test_logins.py -k mysql",
    ),
    Guard(
        "MySQL sends no files",
        "drivers/mysql/protocol.py",
        "local_infile=False",
        "local_infile=True",
        "tests/drivers -k infile or local_file or LOCAL",
    ),
    Guard(
        "PostgreSQL's variables of the environment are not read",
        "drivers/postgresql/connection.py",
        "        options = {**_defaults_instead_of_environment(), **options}",
        "        pass",
        "tests/drivers -k environment",
    ),
    Guard(
        "a stored password is for its target only",
        "drivers/base.py",
        'USERNAME = Field("username", N_("User"), required=True, hint=N_("A user that may only read."), target=True)',
        'USERNAME = Field("username", N_("User"), required=True, hint=N_("A user that may only read."))',
        "tests/admin/test_connections_servers.py -k stored_password",
    ),
    Guard(
        "an answer over the cap of bytes is refused",
        "drivers/base.py",
        "if sent_bytes > self.limits.bytes:",
        "if False:",
        "tests/suite/test_rows.py",
    ),
    # Who asks
    Guard(
        "a key opens its own connector only",
        "services/connections/keys.py",
        "hmac.compare_digest(given, known or _NOBODY) and known is not None",
        "known is not None",
        "tests/gateway/test_keys_and_records.py -k key",
    ),
    Guard(
        "a removed portal's endpoints are closed",
        "services/connections/keys.py",
        'if not is_open or row is None or row.portal.state == "uninstalled":',
        "if not is_open or row is None:",
        "tests/gateway/test_keys_and_records.py tests/install/test_events.py",
    ),
    Guard(
        "wrong keys are slowed",
        "services/limits/wrong_keys.py",
        "        except BudgetSpent:\n            self._delay(source)",
        "        except BudgetSpent:\n            pass",
        "tests/gateway/test_keys_and_records.py -k keys",
    ),
    Guard(
        "changes come from our own pages",
        "web/headers.py",
        '    if not is_own_request(request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin"), own):',
        "    if False:",
        "tests/security/test_routes.py",
    ),
    Guard(
        "pages are framed by their portal only",
        "web/headers.py",
        'ancestors = " ".join([portal, *settings.extra_frame_ancestors]) if portal else "\'none\'"',
        'ancestors = "*"',
        "tests/security/test_routes.py",
    ),
    Guard(
        "a body without a length is refused",
        "web/headers.py",
        "            abort(411)",
        "            pass",
        "tests/security/test_routes.py",
    ),
    Guard(
        "an opening belongs into a frame",
        "services/portals/origins.py",
        'return fetch_destination in (None, "iframe")',
        "return True",
        "tests/services/portals/test_origins.py",
    ),
    Guard(
        "a session is renewed by its own user",
        "services/sessions/user_sessions.py",
        "        if (portal.member_id, row.user_id) != (member_id, user_id):",
        "        if False:",
        "tests/services/sessions/test_user_sessions.py",
    ),
    Guard(
        "a session ends when it is idle",
        "services/sessions/user_sessions.py",
        "if row.expires_at <= moment or row.seen_at + self._idle <= moment:",
        "if row.expires_at <= moment:",
        "tests/services/sessions/test_user_sessions.py",
    ),
    Guard(
        "connections are shown to whom the portal lets work with BI data",
        "admin/access.py",
        '            portal_client().call("biconnector.connector.list", select=["id"], order={"id": "ASC"}, page=1)',
        "            pass",
        "tests/admin/test_connections.py",
    ),
    Guard(
        "a proof belongs to its user",
        "admin/access.py",
        "        key = (who.member_id, who.user_id, who.session_id)",
        "        key = (who.member_id, 0, 0)",
        "tests/admin/test_connections.py",
    ),
    # What is kept
    Guard(
        "a ciphertext belongs to its row and column",
        "models/vault.py",
        "self._keys[key_id].decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], bound)",
        "self._keys[key_id].decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], None)",
        "tests/security/test_tenants.py -k ciphertext",
    ),
    Guard(
        "what CLEAN deletes waits for the quarantine",
        "services/portals/uninstallations.py",
        'over = (Portal.id == portal_id, Portal.state == "uninstalled", Portal.uninstalled_at <= self._quarantined())',
        'over = (Portal.id == portal_id, Portal.state == "uninstalled")',
        "tests/install/test_events.py -k quarantine",
    ),
    Guard(
        "an upload's name leads nowhere else",
        "services/connections/uploads.py",
        'last = re.split(r"[/\\\\]", file_name)[-1]',
        "last = file_name",
        "tests/admin/test_connections_files.py tests/services/connections/test_uploads.py",
    ),
    Guard(
        "uploads have a largest size",
        "services/connections/uploads.py",
        "        if size > self.most_bytes:",
        "        if False:",
        "tests/admin/test_connections_files.py",
    ),
    Guard(
        "files of another database are not deleted",
        "services/connections/uploads.py",
        "        if unknown:\n            self.owner.require()",
        "        if False:\n            self.owner.require()",
        "tests/services/connections/test_uploads.py tests/cli",
    ),
    Guard(
        "logs hide secrets",
        "services/logs.py",
        "        return redacted(super().format(record), self._known)",
        "        return super().format(record)",
        "tests/security/test_canaries.py",
    ),
    Guard(
        "logs hide keys of addresses",
        "services/logs.py",
        "return _CONNECTOR_KEY.sub(lambda found: f\"{found[1] or ''}{HIDDEN}\", text)",
        "return text",
        "tests/security/test_canaries.py",
    ),
    # What is answered
    Guard(
        "an answer over the cap is no answer",
        "gateway/spool.py",
        "        if self.size > self._most_bytes:",
        "        if False:",
        "tests/gateway/test_spool.py",
    ),
    Guard(
        "a rest that finds no room is told before anything is sent",
        "gateway/spool.py",
        '            self._file.seek(0)\n        except OSError:\n            raise SpoolFull("disk") from None',
        "            self._file.seek(0)\n        except OSError:\n            pass",
        "tests/gateway/test_spool.py",
    ),
    Guard(
        "a column of another type today is refused",
        "services/contract/delivery.py",
        "        if not column.keeps_its_type or not casts_of(self._session).can(own, column.type):",
        "        if False:",
        "tests/gateway/test_published_names.py tests/cases/test_files.py",
    ),
    Guard(
        "one portal never has all places",
        "services/limits/fair_queue.py",
        "    return most if is_first else most - most // 4",
        "    return most",
        "tests/services/limits/test_fair_queue.py",
    ),
    Guard(
        "silent servers hold no place of others",
        "services/limits/fair_queue.py",
        "        if seconds >= SLOW_AFTER:",
        "        if False:",
        "tests/services/limits/test_fair_queue.py",
    ),
    Guard(
        "a portal's uploads have a quota",
        "services/connections/uploads.py",
        "        if self.quota_bytes is not None and taken + size > self.quota_bytes:",
        "        if False:",
        "tests/services/connections/test_upload_quota.py",
    ),
)


@contextlib.contextmanager
def copied() -> Iterator[Path]:
    """A copy of the tree's tracked files, with the compiled catalogues and this environment."""
    with tempfile.TemporaryDirectory(prefix="guards-") as folder:
        copy = Path(folder) / "tree"
        names = subprocess.check_output(
            ["git", "ls-files", "-z", "-c", "-o", "--exclude-standard"], cwd=ROOT, text=True
        )
        compiled = (str(path.relative_to(ROOT)) for path in ROOT.glob("translations/*/LC_MESSAGES/*.mo"))
        for name in filter(None, [*names.split("\0"), *compiled]):
            if (ROOT / name).is_file():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, copy / name)
        subprocess.run(["git", "init", "-q", "."], cwd=copy, check=True)
        subprocess.run(["git", "add", "-A"], cwd=copy, check=True)
        yield copy


def is_noticed(guard: Guard, tree: Path) -> bool:
    """Whether a test fails while the guard is away from a copy of the tree; it is there again afterwards.

    Raises `RuntimeError` where pytest finds no test or cannot run.
    """
    module = tree / guard.module
    whole = module.read_text(encoding="utf-8")
    module.write_text(whole.replace(guard.code, guard.without, 1), encoding="utf-8")
    try:
        arguments, _, words = guard.tests.partition(" -k ")
        chosen = ["-k", words] if words else []
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-n0", *chosen, *arguments.split()]
        done = subprocess.run(
            command, cwd=tree, check=False, capture_output=True, text=True, timeout=SECONDS, env=QUICK
        )
    finally:
        module.write_text(whole, encoding="utf-8")
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{guard.name}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.returncode == 1


def unnoticed(guards: tuple[Guard, ...] = GUARDS) -> list[str]:
    """The names of guards that can be taken away without a test noticing; says how it goes."""
    missed = []
    with copied() as tree:
        for guard in guards:
            began = time.monotonic()
            try:
                noticed, said = is_noticed(guard, tree), ""
            except (RuntimeError, subprocess.TimeoutExpired) as problem:
                noticed, said = False, f" {problem}"
            print(
                f"{'noticed' if noticed else 'MISSED':8} {time.monotonic() - began:5.1f} s  {guard.name}{said}",
                flush=True,
            )
            if not noticed:
                missed.append(guard.name)
    return missed


def main(words: list[str]) -> int:
    """Try all guards, or those whose names contain one of the words; 1 if one of them was missed."""
    chosen = tuple(guard for guard in GUARDS if not words or any(word in guard.name for word in words))
    missed = unnoticed(chosen)
    print(f"{len(chosen) - len(missed)} of {len(chosen)} guards are noticed when they are away")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
