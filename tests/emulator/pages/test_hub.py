"""The BI hub: lists, a table with its preview, reports, wizards (facts/biconnector 5)."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient

from emulator.context import Emulator
from emulator.records import Connector, Dataset, Generation
from tests.emulator.pages.conftest import StubEndpoint

GENERIC = "Could not get data from the source. Check the connection settings."


def report(browser: FlaskClient, table: Dataset, **fields: str) -> str:
    query = {"view": "report"} | {name.replace("__", "-"): value for name, value in fields.items()}
    return browser.get(f"/bi/table/{table.id}", query_string=query).text


def filter_of(form: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in form.items() if name.startswith("filter")}


@pytest.mark.parametrize("login", ["viewer", "half"])
@pytest.mark.parametrize("path", ["/bi/", "/bi/table/1", "/bi/source/new", "/bi/table/new"])
def test_the_hub_takes_both_rights(
    browser: FlaskClient, emulator: Emulator, table: Dataset, endpoint: StubEndpoint, login: str, path: str
) -> None:
    """facts/biconnector 1.8."""
    emulator.portal.switch_browser_user(login)
    answer = browser.get(path)
    assert answer.status_code == 403
    assert "Access to Analytics Hub" in answer.text
    assert endpoint.forms == []


def test_the_hub_lists_tables_sources_and_connectors(browser: FlaskClient, table: Dataset) -> None:
    tables = browser.get("/bi/").text
    assert f'href="/bi/table/{table.id}"' in tables
    assert "Warehouse" in browser.get("/bi/?view=sources").text
    connectors = browser.get("/bi/?view=connectors").text
    assert "Warehouse &lt;DB&gt;" in connectors
    assert "Sources: 1" in connectors


def test_an_empty_hub_says_what_to_do(browser: FlaskClient) -> None:
    for view in ("tables", "sources", "connectors"):
        assert "No " in re.search(r"<h2>(.*?)</h2>", browser.get(f"/bi/?view={view}").text)[1]  # type: ignore[index] # there is one


def test_the_preview_asks_for_twenty_rows_without_a_selection_and_once_an_hour(
    browser: FlaskClient, table: Dataset, endpoint: StubEndpoint
) -> None:
    """facts/biconnector 5.8."""
    page = browser.get(f"/bi/table/{table.id}").text
    assert endpoint.last("data") == {
        "connection[login]": "reader",
        "connection[port]": "5432",
        "limit": "20",
        "table": "orders",
    }
    assert "&lt;b&gt;&#34;lost&#34; &amp; found&lt;/b&gt;" in page
    browser.get(f"/bi/table/{table.id}")
    assert endpoint.count("data") == 1


def test_synchronising_reads_the_preview_anew(browser: FlaskClient, table: Dataset, endpoint: StubEndpoint) -> None:
    browser.get(f"/bi/table/{table.id}")
    endpoint.answers["data"] = (200, [["id"], ["fresh"]])
    answer = browser.post(f"/bi/table/{table.id}/synchronise", follow_redirects=True)
    assert "<td>fresh</td>" in answer.text or 'class="number">fresh</td>' in answer.text
    assert endpoint.count("data") == 2


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (500, {"error": "secret driver text"}, "status 500"),
        (200, {"rows": []}, "not a JSON array"),
        (200, [["id", "ordered_on"], [1]], "header"),
    ],
)
def test_a_failure_is_one_generic_sentence_and_apart_from_it_the_emulators_reason(
    browser: FlaskClient, table: Dataset, endpoint: StubEndpoint, status: int, body: Any, reason: str
) -> None:
    endpoint.answers["data"] = (status, body)
    for page in (browser.get(f"/bi/table/{table.id}").text, report(browser, table)):
        assert GENERIC in page
        backstage = re.search(r'<div class="backstage">(.*?)</div>', page, re.DOTALL)
        assert backstage
        assert reason in unescape(backstage[1])
        assert "secret driver text" not in page


def test_opening_the_report_draws_its_default_chart_at_once(
    browser: FlaskClient, table: Dataset, endpoint: StubEndpoint
) -> None:
    """As the portal's own charts do: all rows, no condition, the last decimal column by the first date."""
    page = browser.get(f"/bi/table/{table.id}?view=report").text
    assert "Sum of AMOUNT by ORDERED_ON" in page
    assert 'data-row-count="5"' in page
    assert endpoint.count("data") == 1
    assert filter_of(endpoint.last("data")) == {}


def test_adding_a_condition_keeps_the_chart_of_what_is_asked_so_far(
    browser: FlaskClient, table: Dataset, endpoint: StubEndpoint
) -> None:
    line = {"filter-0-column": "STATUS", "filter-0-operator": "equals", "filter-0-value": "won"}
    page = browser.get(f"/bi/table/{table.id}", query_string={"view": "report", "add": "1"} | line).text
    assert "Sum of AMOUNT by ORDERED_ON" in page
    assert 'name="filter-1-column"' in page


@pytest.mark.parametrize("operator", ["greater", "at_least", "less", "at_most", "between"])
def test_a_comparison_with_one_value_offers_one_line_and_takes_no_second(
    browser: FlaskClient, table: Dataset, endpoint: StubEndpoint, operator: str
) -> None:
    line = {"filter__0__column": "AMOUNT", "filter__0__operator": operator, "filter__0__until": "9"}
    page = report(browser, table, **line, filter__0__value="7")
    assert re.search(r'<input class="input" name="filter-0-value" value="7"(?![^>]*disabled)', page)
    assert re.search(r'<textarea [^>]*name="filter-0-value"[^>]* disabled', page)
    calls = endpoint.count("data")
    page = report(browser, table, **line, filter__0__value="7\n8")
    assert "Enter one value." in page
    assert endpoint.count("data") == calls


def test_a_comparison_with_several_values_offers_several_lines(browser: FlaskClient, table: Dataset) -> None:
    page = report(browser, table, filter__0__column="STATUS", filter__0__value="won\nnew")
    assert re.search(r'<textarea [^>]*name="filter-0-value"(?![^>]*disabled)[^>]*>\s*won\nnew</textarea>', page)
    assert re.search(r'<input class="input" name="filter-0-value"[^>]* disabled', page)


def test_the_problem_of_a_condition_stands_with_its_value(browser: FlaskClient, table: Dataset) -> None:
    page = report(browser, table, filter__0__column="STATUS", filter__0__value=" ")
    field = re.search(r'<div class="field value".*?</div>', page, re.DOTALL)
    assert field
    assert 'id="filter-0-problem">Enter at least one value.' in field[0]


def test_calculations_are_named_in_words(browser: FlaskClient, table: Dataset) -> None:
    page = report(browser, table)
    assert [">sum<" in page, ">average<" in page, ">number of rows<" in page] == [True, True, True]
    assert ">avg<" not in page


def test_numbers_of_one_column_have_the_same_decimals(
    browser: FlaskClient, table: Dataset, endpoint: StubEndpoint
) -> None:
    """Ragged numbers cannot be compared at a glance."""
    rows = [[1, "2025-01-15", "a", 6667.44], [2, "2025-02-15", "b", 4194.4], [3, "2025-03-15", "c", "2142"]]
    endpoint.answers["data"] = (200, [["id", "ordered_on", "status", "amount"], *rows])
    for page in (browser.get(f"/bi/table/{table.id}").text, report(browser, table)):
        for written in ("6667.44", "4194.40", "2142.00", "1"):
            assert f'<td class="number">{written}</td>' in page
    page = report(browser, table, dimension="STATUS", chart="bar")
    assert re.findall(r"<title>. ?: ([^<]+)</title>", page) == ["6,667.44", "4,194.40", "2,142.00"]


def test_numbers_with_very_long_fractions_stay_as_they_came(
    browser: FlaskClient, table: Dataset, endpoint: StubEndpoint
) -> None:
    rows = [[1, None, "a", 0.30000000000000004], [2, None, "b", 1.5], [3, None, "c", "n/a"]]
    endpoint.answers["data"] = (200, [["id", "ordered_on", "status", "amount"], *rows])
    page = report(browser, table)
    for written in ("0.30000000000000004", "1.5", "n/a"):
        assert f'<td class="number">{written}</td>' in page


@pytest.mark.parametrize(
    ("generation", "names"),
    [("newer", ["id", "ordered_on", "status", "amount"]), ("older", ["ID", "ORDERED_ON", "STATUS", "AMOUNT"])],
)
def test_a_report_asks_for_all_rows_of_the_visible_columns(
    browser: FlaskClient,
    emulator: Emulator,
    table: Dataset,
    endpoint: StubEndpoint,
    generation: Generation,
    names: list[str],
) -> None:
    """facts/biconnector 5.7, 5.7a: names in the generation's words; without `limit` all rows are wanted."""
    emulator.portal.state.generation = generation
    report(browser, table)
    form = endpoint.last("data")
    assert "limit" not in form
    assert filter_of(form) == {}
    assert [form[f"select[{position}]"] for position in range(4)] == names


def test_a_row_limit_is_sent_on(browser: FlaskClient, table: Dataset, endpoint: StubEndpoint) -> None:
    report(browser, table, limit="3")
    assert endpoint.last("data")["limit"] == "3"


@pytest.mark.parametrize(
    ("language", "start", "end"),
    [
        ("en", "01/31/2025", "12/31/2025 11:59:59 pm"),
        ("ru", "31.01.2025", "31.12.2025 23:59:59"),
        ("br", "31/01/2025", "31/12/2025 23:59:59"),
        ("ja", "2025-01-31", "2025-12-31 23:59:59"),
    ],
)
def test_a_date_range_goes_out_in_the_sites_format_up_to_the_last_second(
    browser: FlaskClient,
    emulator: Emulator,
    table: Dataset,
    endpoint: StubEndpoint,
    language: str,
    start: str,
    end: str,
) -> None:
    """facts/biconnector 5.10."""
    emulator.portal.state.language = language
    report(browser, table, date_column="ORDERED_ON", date_from="2025-01-31", date_to="2025-12-31")
    assert filter_of(endpoint.last("data")) == {"filter[>=ORDERED_ON]": start, "filter[<=ORDERED_ON]": end}


def test_an_open_range_has_one_bound_only(browser: FlaskClient, table: Dataset, endpoint: StubEndpoint) -> None:
    report(browser, table, date_to="2025-12-31")
    assert list(filter_of(endpoint.last("data"))) == ["filter[<=ORDERED_ON]"]


@pytest.mark.parametrize(
    ("operator", "value", "until", "expected"),
    [
        ("equals", "won", "", {"[=STATUS][0]": "won"}),
        ("equals", "won\r\nnew, or not\r\n\r\n", "", {"[=STATUS][0]": "won", "[=STATUS][1]": "new, or not"}),
        ("not_equals", "won", "", {"[!=STATUS][0]": "won"}),
        ("contains", "50%", "", {"[%STATUS][0]": "50%"}),
        ("not_contains", "a_b", "", {"[!%STATUS][0]": "a_b"}),
        ("between", "a", "m", {"[><STATUS][0]": "a", "[><STATUS][1]": "m"}),
        ("greater", "a", "", {"[>STATUS][0]": "a"}),
        ("at_least", "a", "", {"[>=STATUS][0]": "a"}),
        ("less", "a", "", {"[<STATUS][0]": "a"}),
        ("at_most", "a", "", {"[<=STATUS][0]": "a"}),
        ("is_null", "ignored", "", {"[=STATUS]": "0"}),
        ("is_not_null", "", "", {"[!=STATUS]": "0"}),
    ],
)
def test_a_condition_goes_out_as_an_or_group_with_a_list_except_for_null(
    browser: FlaskClient,
    table: Dataset,
    endpoint: StubEndpoint,
    operator: str,
    value: str,
    until: str,
    expected: dict[str, str],
) -> None:
    """facts/biconnector 5.11."""
    line = {"filter__0__column": "STATUS", "filter__0__operator": operator}
    report(browser, table, **line, filter__0__value=value, filter__0__until=until)
    sent = filter_of(endpoint.last("data"))
    assert sent == {"filter[0][LOGIC]": "OR"} | {f"filter[0][0]{key}": given for key, given in expected.items()}


def test_conditions_joined_by_or_share_a_group_and_others_open_the_next(
    browser: FlaskClient, table: Dataset, endpoint: StubEndpoint
) -> None:
    """facts/biconnector 5.11: groups are joined by AND."""
    report(
        browser,
        table,
        filter__0__column="STATUS",
        filter__0__operator="equals",
        filter__0__value="won",
        filter__1__joint="or",
        filter__1__column="AMOUNT",
        filter__1__operator="greater",
        filter__1__value="10.5",
        filter__7__joint="and",
        filter__7__column="ID",
        filter__7__operator="is_not_null",
    )
    assert filter_of(endpoint.last("data")) == {
        "filter[0][LOGIC]": "OR",
        "filter[0][0][=STATUS][0]": "won",
        "filter[0][1][>AMOUNT][0]": "10.5",
        "filter[1][LOGIC]": "OR",
        "filter[1][0][!=ID]": "0",
    }


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"date_from": "31.12.2025"}, "Write dates as year-month-day"),
        ({"date_from": "2025-02-30"}, "Write dates as year-month-day"),
        ({"date_from": "2025-02-01", "date_to": "2025-01-31"}, "The first day lies after the last one."),
        ({"date_from": "2025-02-01", "date_column": "STATUS"}, "A date range needs a date column"),
        ({"filter__0__column": "STATUS", "filter__0__value": " "}, "Enter at least one value."),
        ({"filter__0__column": "GONE", "filter__0__value": "x"}, "This table has no such column."),
        (
            {"filter__0__column": "AMOUNT", "filter__0__operator": "greater", "filter__0__value": "1,5"},
            "Enter a number, with a dot before decimals.",
        ),
        (
            {"filter__0__column": "AMOUNT", "filter__0__operator": "between", "filter__0__value": "1"},
            "Enter both ends of the range.",
        ),
        ({"limit": "0"}, "Enter a whole number above zero"),
        ({"limit": "-5"}, "Enter a whole number above zero"),
        ({"limit": "٣"}, "Enter a whole number above zero"),
    ],
)
def test_what_cannot_be_asked_is_said_beside_the_field_and_not_asked(
    browser: FlaskClient, table: Dataset, endpoint: StubEndpoint, fields: dict[str, str], problem: str
) -> None:
    page = report(browser, table, **fields)
    assert problem in unescape(page)
    assert 'aria-invalid="true"' in page
    assert "Nothing was asked for" in page
    assert endpoint.forms == []


def test_a_removed_line_is_gone_and_the_others_stay(browser: FlaskClient, table: Dataset) -> None:
    page = browser.get(
        f"/bi/table/{table.id}",
        query_string={
            "view": "report",
            "filter-0-column": "STATUS",
            "filter-0-value": "first",
            "filter-1-column": "STATUS",
            "filter-1-value": "second",
            "remove": "0",
        },
    ).text
    assert ">\nsecond</textarea>" in page
    assert ">\nfirst</textarea>" not in page


def test_all_rows_are_counted_and_only_the_display_is_paged(
    browser: FlaskClient, table: Dataset, endpoint: StubEndpoint
) -> None:
    header = ["id", "ordered_on", "status", "amount"]
    endpoint.answers["data"] = (200, [header, *([number, None, None, 1] for number in range(1, 122))])
    first = report(browser, table)
    assert 'data-row-count="121"' in first
    assert "Shown: 1–50 of 121" in first
    last = report(browser, table, page="3")
    assert "Shown: 101–121 of 121" in last
    assert '<td class="number">121</td>' in last
    assert "limit" not in endpoint.last("data")
    assert "Shown: 101–121 of 121" in report(browser, table, page="99")


def test_no_matching_row_is_not_a_failure(browser: FlaskClient, table: Dataset, endpoint: StubEndpoint) -> None:
    """facts/biconnector 5.7: the header comes also when no row matches."""
    endpoint.answers["data"] = (200, [["id", "ordered_on", "status", "amount"]])
    page = report(browser, table)
    assert "No rows match." in page
    assert GENERIC not in page


def test_the_chart_adds_up_the_rows_that_came(browser: FlaskClient, table: Dataset) -> None:
    page = report(browser, table, dimension="ORDERED_ON", measure="AMOUNT", aggregation="sum", chart="line")
    assert "Sum of AMOUNT by ORDERED_ON" in page
    assert "<title>2025-01: 150</title>" in page
    assert "<title>2025-03: 1,007</title>" in page
    assert '<polyline class="chart-line"' in page
    assert re.search(r'<th scope="row">2025-01</th><td class="number">150</td><td class="number">2</td>', page)


def test_the_chart_of_words_counts_rows_and_names_the_empty_group(browser: FlaskClient, table: Dataset) -> None:
    page = report(browser, table, dimension="STATUS", aggregation="count", chart="bar")
    assert "<title>won: 2</title>" in page
    assert "<title>(empty): 1</title>" in page
    assert "<title>&lt;b&gt;&#34;lost&#34; &amp; found&lt;/b&gt;: 1</title>" in page


def test_hidden_columns_are_neither_offered_nor_asked_for(
    browser: FlaskClient, table: Dataset, endpoint: StubEndpoint
) -> None:
    table.columns[3].visible = False
    page = report(browser, table)
    assert "AMOUNT" not in page
    selected = [value for name, value in endpoint.last("data").items() if name.startswith("select")]
    assert selected == ["id", "ordered_on", "status"]


# Wizards


def test_a_new_source_is_kept_only_after_url_check_agrees(
    browser: FlaskClient, emulator: Emulator, make_connector: Callable[[], Connector], endpoint: StubEndpoint
) -> None:
    """facts/biconnector 3.1, 5.2."""
    connector = make_connector()
    emulator.portal.switch_browser_user("analyst")
    form = {
        "connector": str(connector.id),
        "title": "Stock",
        "settings-login": "a&b=c[0]",
        "settings-port": "5432",
    }
    endpoint.answers["check"] = (403, {"error": "wrong password"})
    refused = browser.post("/bi/source/new", data=form)
    assert refused.status_code == 422
    assert "Could not connect. Check the settings." in refused.text
    assert 'value="a&amp;b=c[0]"' in refused.text
    assert emulator.portal.sources() == []
    endpoint.answers["check"] = (200, {"status": "ok"})
    assert browser.post("/bi/source/new", data=form).status_code == 303
    assert endpoint.last("check") == {"connection[login]": "a&b=c[0]", "connection[port]": "5432"}
    (source,) = emulator.portal.sources()
    assert (source.title, source.connector_id, source.created_by_id) == ("Stock", connector.id, 2)
    assert [(setting.code, setting.value) for setting in source.settings] == [("login", "a&b=c[0]"), ("port", "5432")]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"title": ""}, "Enter a title."),
        ({"title": "x" * 513}, "The title is too long."),
        ({"settings-login": ""}, "Enter a value."),
        ({"settings-port": "54 32"}, "Enter a whole number."),
    ],
)
def test_a_bad_source_form_is_answered_beside_the_field_without_a_check(
    browser: FlaskClient,
    make_connector: Callable[[], Connector],
    endpoint: StubEndpoint,
    fields: dict[str, str],
    problem: str,
) -> None:
    good = {"connector": str(make_connector().id), "title": "T", "settings-login": "l", "settings-port": "1"}
    answer = browser.post("/bi/source/new", data=good | fields)
    assert answer.status_code == 422
    assert problem in answer.text
    assert endpoint.forms == []


def test_the_search_for_a_table_is_sent_on(browser: FlaskClient, table: Dataset, endpoint: StubEndpoint) -> None:
    """facts/biconnector 5.5."""
    page = browser.get("/bi/table/new?source=1&search=ord%26er").text
    assert endpoint.last("tables")["searchString"] == "ord&er"
    assert "Staff list" in page


def test_a_list_that_the_portal_refuses_is_shown_as_a_failure(
    browser: FlaskClient, table: Dataset, endpoint: StubEndpoint
) -> None:
    """facts/biconnector 5.5: one item without a title spoils the list."""
    endpoint.answers["tables"] = (200, [{"code": "a", "title": "A"}, {"code": "b", "title": ""}])
    page = browser.get("/bi/table/new?source=1").text
    assert "Could not get the list of tables." in page


def test_a_new_table_gets_names_that_the_portal_accepts(
    browser: FlaskClient, emulator: Emulator, table: Dataset, endpoint: StubEndpoint
) -> None:
    """facts/biconnector 4.6, 4.7, 5.6."""
    long = "a very long column code that is cut"
    described = [
        {"code": "Order №", "name": "Number", "type": "INT"},
        {"code": long + "1", "name": "First", "type": "STRING"},
        {"code": long + "2", "name": "Second", "type": "Json"},
        {"code": "2024", "name": "Year", "type": "double"},
    ]
    endpoint.answers["description"] = (200, described)
    page = browser.get("/bi/table/new?source=1&table=orders&title=More+orders").text
    assert 'name="name" value="orders_2"' in page
    form = {"source": "1", "table": "orders", "name": "orders_2", "title": "More", "column-0": "1", "column-2": "1"}
    answer = browser.post("/bi/table/new", data=form)
    assert answer.location == "/bi/table/2"
    columns = emulator.portal.dataset(2).columns
    assert [(column.name, column.type, column.visible) for column in columns] == [
        ("ORDER__", "int", True),
        ("A_VERY_LONG_COLUMN_CODE_THAT_IS_", "string", False),
        ("A_VERY_LONG_COLUMN_CODE_THAT_I_2", "string", True),
        ("C_2024", "double", False),
    ]
    assert columns[0].external_code == "Order №"
    assert emulator.portal.dataset(2).external_id == 0


def test_a_new_table_is_previewed_before_it_is_made(
    browser: FlaskClient, table: Dataset, endpoint: StubEndpoint
) -> None:
    """facts/api 5.4: `urlData` is called when a dataset is created; facts/biconnector 5.8."""
    page = browser.get("/bi/table/new?source=1&table=orders").text
    sent = {name: value for name, value in endpoint.last("data").items() if not name.startswith("connection")}
    assert sent == {"table": "orders", "limit": "20"}
    assert "First rows: 5. Kept for an hour." in page
    assert "2025-03-02" in page
    browser.get("/bi/table/new?source=1&table=orders")
    assert endpoint.count("data") == 1


def test_a_preview_that_fails_is_told_beside_the_columns(
    browser: FlaskClient, table: Dataset, endpoint: StubEndpoint
) -> None:
    endpoint.answers["data"] = (200, [["id"], [1, 2]])
    page = browser.get("/bi/table/new?source=1&table=orders").text
    assert "Could not get data from the source." in page
    assert 'name="column-0"' in page


def test_a_new_table_needs_a_source_that_answers(
    browser: FlaskClient, emulator: Emulator, table: Dataset, endpoint: StubEndpoint
) -> None:
    """facts/api 5.1: `urlCheck` is called when a dataset is created."""
    form = {"source": "1", "table": "orders", "name": "fine", "title": "Fine", "column-0": "1"}
    endpoint.answers["check"] = (403, "no")
    answer = browser.post("/bi/table/new", data=form)
    assert answer.status_code == 422
    assert "Check the connection settings." in answer.text
    assert len(emulator.portal.datasets()) == 1
    endpoint.answers["check"] = (200, "yes")
    assert browser.post("/bi/table/new", data=form).status_code == 303
    assert endpoint.last("check") == {"connection[login]": "reader", "connection[port]": "5432"}


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"name": "Orders"}, "Use small Latin letters"),
        ({"name": "2orders"}, "Use small Latin letters"),
        ({"name": "o" * 231}, "Use small Latin letters"),
        ({"name": "orders"}, "has a table of this name already"),
        ({"title": ""}, "Enter a title"),
        ({"column-0": None}, "Choose at least one column."),
    ],
)
def test_a_bad_table_form_is_answered_beside_the_field(
    browser: FlaskClient, emulator: Emulator, table: Dataset, fields: dict[str, str | None], problem: str
) -> None:
    good: dict[str, str | None] = {"source": "1", "table": "orders", "name": "fine", "title": "Fine", "column-0": "1"}
    data = {name: value for name, value in (good | fields).items() if value is not None}
    answer = browser.post("/bi/table/new", data=data)
    assert answer.status_code == 422
    assert problem in answer.text
    assert len(emulator.portal.datasets()) == 1


@pytest.mark.parametrize("path", ["/bi/table/99", "/bi/table/new?source=9", "/bi/source/new?connector=9", "/crm/deal/"])
def test_what_does_not_exist_has_a_page_of_the_portal(browser: FlaskClient, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 404
    assert "There is nothing at this address" in answer.text
