"""From a code to what people read about it; never empty, whatever the code."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask_babel import LazyString, ngettext
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from errors import FieldProblem, PortalBusy
from sentences import commands, discovery, installation, objects, targets

A_FEW_SECONDS = 10
TABLES = (objects.SENTENCES, targets.SENTENCES, discovery.SENTENCES, commands.SENTENCES, installation.SENTENCES)
OTHER_REFUSAL = _l(
    "The portal refused with the code %(code)s. Check what you entered, or give this code to the support."
)
OTHER_TARGET = (_l("The connection does not work."), _l("What was reported is below."))
CODES: Mapping[str, LazyString | tuple[LazyString, LazyString]] = {
    code.upper(): text for table in TABLES for code, text in table.items()
}


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with a connection and what helps; sentences."""

    cause: str
    cure: str

    def __str__(self) -> str:
        return f"{self.cause} {self.cure}"


def sentence(problem: FieldProblem) -> str:
    """What to read beside the field of `problem`."""
    code = problem.code.upper()
    known = CODES.get(code)
    if code == objects.MISSING:
        known = objects.MISSING_PARTS.get((problem.details.get("object", ""), problem.field), known)
    if known is None:
        return str(OTHER_REFUSAL) % {"code": problem.code}
    text = " ".join(map(str, known)) if isinstance(known, tuple) else str(known)
    return text % problem.details if problem.details else text


def by_field(problems: Sequence[FieldProblem]) -> dict[str, str]:
    """Sentences by the form's field names; of a field with several problems the first."""
    return {problem.field: sentence(problem) for problem in reversed(problems)}


def all_sentences(problems: Sequence[FieldProblem]) -> str:
    """The sentences of `problems` after one another, each once."""
    return " ".join(dict.fromkeys(map(sentence, problems)))


def of_code(code: str) -> str:
    """What to read about a code that belongs to no field."""
    return sentence(FieldProblem("", code))


def diagnosis(code: str) -> Diagnosis:
    """Cause and cure for a code of a connection."""
    cause, cure = targets.SENTENCES.get(code.lower(), OTHER_TARGET)
    return Diagnosis(str(cause), str(cure))


def waiting(error: PortalBusy) -> FieldProblem:
    """A limit, with the time to come back; one that the portal alone knows reads like too many requests."""
    code = error.code if error.code.upper() in objects.SENTENCES else "QUERY_LIMIT_EXCEEDED"
    return FieldProblem("", code, {"when": _when(error)})


def _when(error: PortalBusy) -> str:
    if error.retry_after is not None and error.retry_after > 60:
        minutes = math.ceil(error.retry_after / 60)
        return str(ngettext("in %(num)s minute", "in %(num)s minutes", minutes))
    if error.retry_after is not None and error.retry_after <= A_FEW_SECONDS:
        return str(_("in a few seconds"))
    # The operating limit is counted over ten minutes (facts/platform 5.4).
    is_operating = error.retry_after is None and error.code.upper() == "OPERATION_TIME_LIMIT"
    return str(_("in ten minutes") if is_operating else _("in a minute"))
