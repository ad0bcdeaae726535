"""What every form does when it is sent: act once, or come back with what was typed and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from flask.typing import ResponseReturnValue

from admin.rendering import page_at
from admin.sentences import sentence, sentences, waiting
from admin.session import form_once, learn_from
from errors import (
    AccessDenied,
    ApplicationError,
    AskUser,
    FieldProblem,
    InvalidInput,
    NobodyVouches,
    NotFound,
    OutcomeUnknown,
    PortalBusy,
    PortalRefused,
    PortalUnreachable,
    TryLater,
)
from services.bi.refusals import problem_for


@dataclass(frozen=True)
class Failure:
    """Why a form comes back: sentences by field, those about the form as a whole, and the status of the answer.

    `is_uncertain`: the portal may have done what was asked, so the page must not say that it was not done.
    """

    told: dict[str, str] = field(default_factory=dict)
    general: tuple[str, ...] = ()
    status: int = 200
    is_uncertain: bool = False


NOTHING_WRONG = Failure()


def file_lost(field: str) -> Failure:
    """What a form says that comes back without the file which was chosen in `field`."""
    return Failure(sentences([FieldProblem(field, "FILE_NOT_KEPT")]))


def saved(
    act: Callable[[], str], notice: str, refused: Callable[[ApplicationError], ResponseReturnValue]
) -> ResponseReturnValue:
    """Act once and answer with the page that `act` leads to; a repetition shows that page without acting.

    `refused` answers an error of `act`, after which the form can be sent again. An error of the page that follows is
    none of the form's: what was done stays done, and `admin.problems` says so.
    """
    try:
        with form_once() as use:
            if use.outcome is None:
                use.done(act())
    except ApplicationError as error:
        return told(error, refused)
    return page_at(use.outcome or use.path or "/", notice)


def told(error: ApplicationError, refused: Callable[[ApplicationError], ResponseReturnValue]) -> ResponseReturnValue:
    """What `refused` makes of an error; raises `error` itself if the portal is not there for drawing that.

    What became of the action is worth more than why its form cannot be shown: it may be unknown.
    """
    learn_from(error)
    try:
        return refused(error)
    except TryLater:
        raise error from None


def failure(error: ApplicationError, names: Collection[str]) -> Failure:
    """What to tell on the form; `names` are its fields. Raises `error` again if it is no matter of this form.

    Missing rights, an object that is gone and a session that is over have pages of their own (`admin.problems`).
    """
    if isinstance(error, AccessDenied) or not isinstance(error, AskUser | TryLater):
        raise error
    problems = problems_of(error)
    if isinstance(error, NotFound) and not problems[0].field:
        raise error
    told = sentences([problem for problem in problems if problem.field in names])
    general = tuple(dict.fromkeys(sentence(problem) for problem in problems if problem.field not in names))
    status = 503 if isinstance(error, TryLater) else 422
    return Failure(told, general, status, isinstance(error, OutcomeUnknown))


def problems_of(error: ApplicationError) -> Sequence[FieldProblem]:
    """An error as problems of a form."""
    match error:
        case InvalidInput():
            return error.problems
        case PortalRefused():
            return [problem_for(error)]
        case PortalBusy():
            return [waiting(error)]
        case NobodyVouches():
            return [waiting(PortalBusy("REFRESH_RESTS"))]
        case PortalUnreachable():
            return [FieldProblem("", "PORTAL_UNREACHABLE")]
        case OutcomeUnknown():
            return [FieldProblem("", "OUTCOME_UNKNOWN")]
    raise error
