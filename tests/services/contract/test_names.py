"""Published names: valid for the portal, the same every time, and the way back (facts/biconnector 4.6, 5.7a)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import Table
from drivers.query import TableName
from services.contract.names import NameRefused, PublishedColumn, PublishedColumns, PublishedTables


def listed_tables(*names: tuple[str, str]) -> PublishedTables:
    """Tables and views of these schemas and names; `public` is the schema that needs no mention."""
    return PublishedTables([Table(TableName(*name), "table", plain=name[0] == "public") for name in names])


def codes(*names: str) -> list[str]:
    return [column.code for column in PublishedColumns([(name, "string") for name in names]).all]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("id", "ID"),
        ("order_id", "ORDER_ID"),
        ("OrderId", "ORDERID"),
        ("Order ID", "ORDER_ID"),
        ("order-id.x", "ORDER_ID_X"),
        ("Größe", "GROESSE"),
        ("Gro\u0308ße", "GROESSE"),  # the same word, decomposed
        ("Имя клиента", "IMYA_KLIENTA"),
        ("Щётка", "SHCHETKA"),
        ("Объём", "OBEM"),
        ("їжак", "YIZHAK"),
        ("Қазақ", "KAZAK"),
        ("naïve façade", "NAIVE_FACADE"),
        ("Łódź", "LODZ"),
        ("İstanbul \u0131ş\u0131k", "ISTANBUL_ISIK"),
        ("2024 sales", "C_2024_SALES"),
        ("_id", "ID"),
        ("№", "NO"),
        ("名前", "U540DU524D"),
        ('"; DROP TABLE canary; --', "DROP_TABLE_CANARY____"),
        ("%s", "S"),
        ("", "C_1"),
        ("___", "C_1"),
        ("💶", "C_1"),
        ("²", "C_2"),
        ("x" * 40, "X" * 32),
        ("logic", "LOGIC_2"),  # `LOGIC` joins conditions
    ],
)
def test_a_column_is_published_under_a_name_that_portals_take(name: str, code: str) -> None:
    assert codes(name) == [code]
    assert re.fullmatch(r"[A-Z][A-Z0-9_]{0,31}", code)


def test_collisions_are_numbered_in_the_order_of_the_columns() -> None:
    assert codes("a b", "a-b", "A_B", "a_b_2") == ["A_B", "A_B_2", "A_B_3", "A_B_2_2"]
    assert codes("x" * 40, "x" * 41, "x" * 32) == ["X" * 32, "X" * 30 + "_2", "X" * 30 + "_3"]


NAMES = st.text(alphabet=st.characters(codec="utf-8"), max_size=50)


@given(names=st.lists(NAMES, unique=True, max_size=40), more=st.lists(NAMES, max_size=3))
def test_published_names_are_valid_unique_stable_and_lead_back(names: list[str], more: list[str]) -> None:
    columns = PublishedColumns([(name, "int") for name in names])
    published = [column.code for column in columns.all]
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]{0,31}", code) for code in published)
    assert len(set(published)) == len(names)
    assert [columns.resolve(code).name for code in published] == names
    # A column that is appended renames none of those before it.
    assert codes(*names, *more)[: len(names)] == published


@given(tables=st.lists(st.tuples(st.sampled_from(["public", "Sales", "a.b", ""]), NAMES), unique=True, max_size=30))
def test_tables_are_listed_under_valid_dataset_names_and_lead_back(tables: list[tuple[str, str]]) -> None:
    listed = listed_tables(*(table for table in tables if any(table)))
    assert all(re.fullmatch(r"[a-z][a-z0-9_]{0,229}", table.code) for table in listed.all)
    assert len({table.code for table in listed.all}) == len({table.id for table in listed.all}) == len(listed.all)
    assert all(listed.resolve(table.id) == table for table in listed.all)


def test_tables_of_the_home_schema_go_by_their_bare_names() -> None:
    listed = listed_tables(
        *[("sales", "orders"), ("public", "orders"), ("public", "Orders"), ("sales", 'a."b'), ("public", "Заказы 2")]
    )
    assert {table.id: table.code for table in listed.all} == {
        "public.Orders": "orders",
        "public.orders": "orders_2",
        "public.Заказы 2": "zakazy_2",
        'sales."a.""b"': "sales_a__b",
        "sales.orders": "sales_orders",
    }


def test_a_table_is_found_by_id_code_and_own_name() -> None:
    listed = listed_tables(("public", "Orders"), ("public", "orders"), ("x", "Kunden"))
    wanted = {
        "public.Orders": "Orders",
        "orders": "Orders",
        "orders_2": "orders",
        "Orders": "Orders",
        "Kunden": "Kunden",
    }
    assert {asked: listed.resolve(asked).table.name for asked in wanted} == wanted


@pytest.mark.parametrize("asked", ["ORDERS", "public", "public.", "missing", "", "public.orders; --", "orders "])
def test_a_table_that_does_not_exist_is_refused(asked: str) -> None:
    with pytest.raises(NameRefused, match="unknown_table"):
        listed_tables(("public", "orders")).resolve(asked)


@pytest.mark.parametrize("search", ["", "ORD", "ord", "rders", "PUBLIC.O", " orders "])
def test_tables_are_searched_whatever_the_case(search: str) -> None:
    # facts/biconnector 5.5; facts/field 1: the peers' search is case-sensitive or ignored
    listed = listed_tables(("public", "Orders"))
    assert [table.id for table in listed.matching(search)] == ["public.Orders"]
    assert listed.matching("kunden") == []


def test_search_finds_cyrillic_tables_by_their_own_letters() -> None:
    listed = listed_tables(("public", "Продажи"), ("public", "orders"))
    assert [table.code for table in listed.matching("ПРОД")] == ["prodazhi"]
    assert [table.code for table in listed.matching("proda")] == ["prodazhi"]


SALES = [("order_id", "int"), ("Order Date", "date"), ("Сумма", "double"), ("a b", "int"), ("a-b", "int")]


def resolved(asked: str, map_fields: dict[str, str] | None = None) -> str:
    return PublishedColumns(SALES, map_fields).resolve(asked).name  # type: ignore[arg-type]  # literals, seen as str


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("ORDER_ID", "order_id"),  # the published code, on newer portals
        ("order_id", "order_id"),  # the database's own name
        ("SUMMA", "Сумма"),
        ("Сумма", "Сумма"),
        ("Order Date", "Order Date"),
        ("A_B", "a b"),
        ("A_B_2", "a-b"),
        ("_____", "Сумма"),  # how a portal that cannot transliterate normalises it
    ],
)
def test_a_name_is_resolved_in_the_stated_order(asked: str, name: str) -> None:
    assert resolved(asked) == name


def test_map_fields_names_the_column_behind_a_dataset_name() -> None:
    mapping = {"SUMMA": "TOTAL", "order_id": "NUMBER", "A_B_2": "A_B"}
    assert resolved("TOTAL", mapping) == "Сумма"
    assert resolved("NUMBER", mapping) == "order_id"
    # An exact code comes before what mapFields says (facts/biconnector 5.7a).
    assert resolved("A_B", mapping) == "a b"


@pytest.mark.parametrize("asked", ["", "MISSING", "ORDER ID", "order_ID", "ORDER_ID ", ">ORDER_ID", "*", "1"])
def test_a_name_that_means_no_column_is_refused(asked: str) -> None:
    with pytest.raises(NameRefused, match="unknown_column"):
        resolved(asked)


@pytest.mark.parametrize("mapping", [{"GONE": "TOTAL"}, {"TOTAL": "SUMMA"}])
def test_a_mapping_that_leads_nowhere_is_refused(mapping: dict[str, str]) -> None:
    with pytest.raises(NameRefused, match="unknown_column"):
        resolved("TOTAL", mapping)


def test_a_name_that_means_two_columns_is_refused() -> None:
    columns = PublishedColumns([("Имя", "string"), ("Код", "string")])
    with pytest.raises(NameRefused, match="ambiguous_name"):
        columns.resolve("___")
    with pytest.raises(NameRefused, match="ambiguous_name"):
        PublishedColumns(columns=[("a", "int"), ("b", "int")], map_fields={"A": "X", "B": "X"}).resolve("X")


def test_a_published_column_keeps_its_type() -> None:
    assert PublishedColumns([("Order Date", "date")]).all == (PublishedColumn("ORDER_DATE", "Order Date", "date"),)
