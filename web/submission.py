"""What every form does when it is sent: act once, or come back with what was typed and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from flask import g
from flask.typing import ResponseReturnValue

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
from sentences.lookup import by_field, sentence, waiting
from services.bi.refusals import problem_for
from web.answers import page_at
from web.session import form_once, learn_from


@dataclass(frozen=True)
class Failure:
    """Why a form is shown again: sentences by field, those about the form as a whole, and the status of the answer.

    `is_uncertain`: the portal may have done what was asked, so the page must not say that it was not done.
    """

    field_errors: dict[str, str] = field(default_factory=dict)
    form_errors: tuple[str, ...] = ()
    status: int = 200
    is_uncertain: bool = False


NOTHING_WRONG = Failure()


def lost_file(field: str) -> Failure:
    """What a form says that is shown again without the file which was chosen in `field`."""
    return Failure(by_field([FieldProblem(field, "FILE_NOT_KEPT")]))


def act_once(
    act: Callable[[], str], notice: str, show_refusal: Callable[[ApplicationError], ResponseReturnValue]
) -> ResponseReturnValue:
    """Act once and answer with the page that `act` leads to; a repetition shows that page without acting.

    `show_refusal` answers an error of `act`, after which the form can be sent again. An error of the page that follows
    is none of the form's: what was done stays done, and `web.error_pages` says so.
    """
    try:
        with form_once() as use:
            if use.outcome is None:
                use.done(act())
    except ApplicationError as error:
        return refusal_page(error, show_refusal)
    return page_at(use.outcome or use.path or "/", " ".join(filter(None, (notice, g.get("remark", "")))))


def remark(text: str) -> None:
    """Say something beside the notice of the form that acts now: it did what was asked, but for this."""
    g.remark = text


def refusal_page(
    error: ApplicationError, show_refusal: Callable[[ApplicationError], ResponseReturnValue]
) -> ResponseReturnValue:
    """What `show_refusal` makes of an error; raises `error` itself if the portal is not there for drawing that.

    What became of the action is worth more than why its form cannot be shown: it may be unknown.
    """
    learn_from(error)
    try:
        return show_refusal(error)
    except TryLater:
        raise error from None


def failure(error: ApplicationError, names: Collection[str]) -> Failure:
    """What the form says about `error`; `names` are its fields. Raises `error` again if it is no matter of this form.

    Missing rights, an object that is gone and a session that is over have pages of their own (`web.error_pages`).
    """
    if isinstance(error, AccessDenied) or not isinstance(error, AskUser | TryLater):
        raise error
    problems = problems_of(error)
    if isinstance(error, NotFound) and not problems[0].field:
        raise error
    field_errors = by_field([problem for problem in problems if problem.field in names])
    form_errors = tuple(dict.fromkeys(sentence(problem) for problem in problems if problem.field not in names))
    status = 503 if isinstance(error, TryLater) else 422
    return Failure(field_errors, form_errors, status, isinstance(error, OutcomeUnknown))


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
