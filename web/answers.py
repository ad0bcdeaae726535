"""How a form is answered: with the page that follows it, with itself once more, or with a question first."""

from __future__ import annotations

from flask import Response, current_app, g, make_response, render_template

from sentences.questions import Question
from web.session import submitted


def page_at(path: str, notice: str = "") -> Response:
    """The page at `path` as the answer to a form that acted, with `notice` on top.

    A redirect would lose the session token, which travels in the body, so the next page is the answer itself
    (facts/security 2.3); `HX-Push-Url` tells htmx its address. Raises what its view raises: the form has acted all the
    same, and `next_path` tells `web.error_pages` where to look.
    """
    endpoint, values = current_app.url_map.bind("localhost").match(path, method="GET")
    g.next_path, g.notice = path, notice
    response = make_response(current_app.view_functions[endpoint](**values))
    response.headers["HX-Push-Url"] = path
    return response


def same_place(page: str, status: int = 200) -> tuple[str, int, dict[str, str]]:
    """A form's page shown again: it is not a new place, so the browser's history does not grow."""
    return page, status, {"HX-Push-Url": "false"} if submitted() else {}


def question_page(question: Question, action: str, title: str, back: str) -> tuple[str, int, dict[str, str]]:
    """The page with a question, which is no place to come back to; `back` is the page of `title`, its origin."""
    page = render_template("connections/confirm.html", question=question, action=action, title=title, back=back)
    return page, 200, {"HX-Push-Url": "false"}
