"""Every code that can be raised has one sentence, and every sentence a code that can be raised."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from errors import AskUser, PortalBusy
from sentences import lookup
from services.bi import refusals
from services.portal_api import replies
from tests.services.documented_errors import ROWS

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("services", "drivers", "egress", "gateway", "admin", "web", "install", "cli")
CODE_AT: Mapping[str, int] = {
    **dict.fromkeys(("TargetError", "TargetRefused", "Unreachable", "LoginFailed", "QueryRefused", "TooBig"), 0),
    **dict.fromkeys(("Broken", "CallRefused", "NameRefused", "NotDiscovered", "ConnectionClosed"), 0),
    **dict.fromkeys(("BudgetSpent", "PortalBusy"), 0),
    **dict.fromkeys(("SettingsWrong", "FieldProblem", "PortalRefused", "NotFound", "AccessDenied", "InUse"), 1),
}
"""Errors that carry a code, and its place among their arguments."""
PASSED_ON = {
    "drivers/files/conversion.py": "what a process that converts a file has raised",
    "drivers/files/session.py": "what reading the layout of a file has raised",
    "services/bi/refusals.py": "the portal's own code",
    "services/portal_api/oauth.py": "the authorization server's own code",
    "services/portal_api/replies.py": "the portal's own code",
}
"""Modules that raise anew what another process or the portal said."""
COMPOSED = {
    "services/bi/rules.py": {
        *("VALIDATION_DATASET_NAME_INVALID", "VALIDATION_DATASET_NAME_TOO_LONG", "VALIDATION_FIELD_NAME_TOO_LONG"),
        *("VALIDATION_FIELD_NAME_INVALID_FORMAT", "VALIDATION_SETTINGS_CODE_TOO_LONG"),
        "VALIDATION_SETTINGS_NAME_TOO_LONG",
    },
    "services/connections/access.py": {"failed_connects", "failed_logins"},
    "services/contract/names.py": {"unknown_table", "unknown_column"},
}
"""Codes that are put together, or handed from function to function, in these modules."""
ENDPOINT_PROBLEMS = {"key", "busy", "own_database", "internal", "disk", "portal_room", "not_taken"}
"""Codes of calls that are no error's: `gateway.problems` and the record of a call know them."""
SYSTEM_CODES = {
    *("INTERNAL_SERVER_ERROR", "ERROR_UNEXPECTED_ANSWER", "QUERY_LIMIT_EXCEEDED", "OVERLOAD_LIMIT", "ACCESS_DENIED"),
    *("OPERATION_TIME_LIMIT", "ERROR_BATCH_METHOD_NOT_ALLOWED", "ERROR_BATCH_LENGTH_EXCEEDED", "INVALID_REQUEST"),
    *("NO_AUTH_FOUND", "EXPIRED_TOKEN", "INVALID_CREDENTIALS", "INSUFFICIENT_SCOPE", "USER_ACCESS_ERROR"),
    *("ERROR_MANIFEST_IS_NOT_AVAILABLE", "PORTAL_DELETED", "ERROR_METHOD_NOT_FOUND"),
    *("ALLOWED_ONLY_INTRANET_USER", "WRONG_AUTH_TYPE", "METHOD_CONFIRM_WAITING", "METHOD_CONFIRM_DENIED"),
    *("INVALID_SCOPE", "BX_EMPTY_REQUIRED", "BX_INVALID_VALUE", "ERROR_ARGUMENT"),
}
"""Codes of every method, of REST itself and of the portal's core."""
NEWER_CODES = {"NAME_EXISTS", "DUPLICATE_FIELDS", "FIELDS_EMPTY", "VALIDATION_SOURCE_ID_REQUIRED", "TABLE_NOT_FOUND"}
DOCUMENTED = {row.code.upper() for row in ROWS} | SYSTEM_CODES | NEWER_CODES


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Every module of the application with its path."""
    for path in (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))):
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def texts(tree: ast.AST) -> set[str]:
    """Every text in a piece of code."""
    found = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {text for text in found if isinstance(text, str)}


def name_of(node: ast.AST) -> str:
    """The last name of `x` or `a.x`, or an empty text."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def codes_in(tree: ast.Module) -> Iterator[set[str] | None]:
    """For each place that raises a code: what the code can be, or None if that cannot be read there."""
    values: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            for goal in node.targets if isinstance(node, ast.Assign) else [node.target]:
                values.setdefault(name_of(goal), set()).update(codes_of(node.value))
        elif isinstance(node, ast.For):
            for part in ast.walk(node.target):
                values.setdefault(name_of(part), set()).update(codes_of(node.iter))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (place := CODE_AT.get(name_of(node.func))) is not None:
            if len(node.args) > place:
                yield codes_at(node.args[place], values)
            elif any(isinstance(argument, ast.Starred) for argument in node.args):
                yield None
        elif isinstance(node, ast.Tuple):  # a row of a table of errors: `(LoginFailed, "password")`
            for error, *row in (node.elts[start:] for start in range(len(node.elts))):
                arguments = row[0].elts if row and isinstance(row[0], ast.Tuple) else row
                if CODE_AT.get(name_of(error), len(arguments)) < len(arguments):
                    yield texts(arguments[CODE_AT[name_of(error)]])


def codes_of(tree: ast.AST) -> set[str]:
    """The codes in a piece of code: a constant, both branches of a choice, else every text of two words or more."""
    match tree:
        case ast.Constant():
            return texts(tree)
        case ast.IfExp(body=body, orelse=otherwise):
            return codes_of(body) | codes_of(otherwise)
    return {text for text in texts(tree) if re.fullmatch(r"[A-Za-z]+(_[A-Za-z]+)+", text)}


def codes_at(argument: ast.expr, values: Mapping[str, set[str]]) -> set[str] | None:
    """What the argument of an error can be, or None."""
    match argument:
        case ast.Constant() | ast.IfExp():
            return codes_of(argument)
        case ast.Attribute(attr="code") | ast.Call(func=ast.Attribute(value=ast.Attribute(attr="code"))):
            return set()  # another error's, which was raised elsewhere
        case ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name)):
            return values.get(name) or None
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name)), args=[_, ast.Name(id=default)]):
            return values[name] | values[default]
    return None


def collected() -> dict[str, set[str]]:
    """Codes that can be raised, with the modules that raise them."""
    found: dict[str, set[str]] = {}
    for path, tree in modules():
        for codes in [*codes_in(tree), COMPOSED.get(path, set())]:
            is_readable = codes is not None or path in PASSED_ON or path in COMPOSED
            assert is_readable, f"{path} raises a code that this test cannot read"
            for code in codes or ():
                found.setdefault(code.upper(), set()).add(path)
    return found


def test_exemptions_are_modules_that_need_one() -> None:
    unreadable = {path for path, tree in modules() if None in list(codes_in(tree))}
    assert unreadable == PASSED_ON.keys() | COMPOSED.keys()


def test_every_code_that_can_be_raised_has_a_sentence() -> None:
    missing = {code: paths for code, paths in collected().items() if code not in lookup.CODES}
    assert missing == {}
    assert {code.upper() for code in ENDPOINT_PROBLEMS} <= lookup.CODES.keys()


@pytest.mark.parametrize("code", sorted(DOCUMENTED))
def test_every_documented_code_of_a_portal_has_a_sentence(code: str) -> None:
    assert code in lookup.CODES


def test_every_code_that_has_a_field_has_a_sentence() -> None:
    assert {*refusals.FIELD_OF, *refusals.COLUMN_CODES, *refusals.NAMES_A_FIELD} <= lookup.CODES.keys()


def test_no_code_has_two_sentences() -> None:
    count = Counter(code.upper() for table in lookup.TABLES for code in table)
    assert [code for code, times in count.items() if times > 1] == []


def test_every_sentence_has_a_code_that_can_be_raised_or_is_documented() -> None:
    written = {text.upper().replace("-", "_") for path, tree in modules() for text in texts(tree)}
    raised = written | collected().keys() | DOCUMENTED | {f"PORTAL_{reason}" for reason in written}
    assert sorted(lookup.CODES.keys() - raised) == []


def test_every_meaning_of_a_portals_code_that_people_are_asked_about_has_a_sentence() -> None:
    errors = {code: meaning("biconnector.source.add", code, "") for code, meaning in replies.MEANINGS.items()}
    asked = {code.upper() for code, error in errors.items() if isinstance(error, AskUser | PortalBusy)}
    assert asked
    assert asked <= lookup.CODES.keys()
