"""Invented sales data for demonstrations: orders of two years and the customers who placed them.

The same rows on every start. Shops, people and places are made up; some orders have no delivery date or discount, so
that empty values can be seen.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any, Literal

ColumnType = Literal["int", "string", "double", "date", "datetime"]

ORDERS = 800
FIRST_DAY = date(2024, 11, 1)
DAYS = 730

PRODUCTS = (
    ("Espresso machine Alba", "Machines", 749.0),
    ("Espresso machine Corso", "Machines", 1190.0),
    ("Filter machine Lido", "Machines", 189.0),
    ("Grinder Pico", "Machines", 229.0),
    ("House blend, 1 kg", "Coffee", 21.9),
    ("Ethiopia Sidamo, 1 kg", "Coffee", 28.5),
    ("Decaf, 1 kg", "Coffee", 24.0),
    ("Cups, set of six", "Tableware", 34.0),
    ("Milk jug", "Tableware", 17.5),
    ("Maintenance visit", "Service", 120.0),
)
REGIONS = ("North", "South", "East", "West")
STATUSES = (("new", 6), ("paid", 22), ("shipped", 62), ("returned", 5), ("cancelled", 5))
SEGMENTS = ("Café", "Office", "Restaurant", "Hotel")
TOWNS = ("Lindau", "Oberwald", "Seehausen", "Birkfeld", "Nordhafen", "Weinberg", "Steinbach", "Altmark")
FIRST_WORDS = ("Blue", "Golden", "Old", "Green", "Little", "Corner", "River", "Garden", "Market", "Station")
SECOND_WORDS = ("Harbour", "Lantern", "Mill", "Terrace")


@dataclass(frozen=True)
class DemoColumn:
    """A column; its code is its name on the portal too."""

    code: str
    name: str
    type: ColumnType


@dataclass(frozen=True)
class DemoTable:
    """A table with all its rows, each as long as `columns`."""

    code: str
    title: str
    columns: Sequence[DemoColumn]
    rows: Sequence[Sequence[Any]]


@cache
def tables() -> dict[str, DemoTable]:
    """The two tables by code."""
    chance = random.Random(20241101)
    customers = _customers(chance)
    orders = _orders(chance, customers)
    return {
        "sales_orders": DemoTable("sales_orders", "Sales orders", ORDER_COLUMNS, orders),
        "customers": DemoTable("customers", "Customers", CUSTOMER_COLUMNS, customers),
    }


CUSTOMER_COLUMNS = (
    DemoColumn("CUSTOMER_ID", "Customer number", "int"),
    DemoColumn("NAME", "Name", "string"),
    DemoColumn("TOWN", "Town", "string"),
    DemoColumn("REGION", "Region", "string"),
    DemoColumn("SEGMENT", "Segment", "string"),
    DemoColumn("CUSTOMER_SINCE", "Customer since", "date"),
    DemoColumn("CREDIT_LIMIT", "Credit limit", "double"),
)

ORDER_COLUMNS = (
    DemoColumn("ORDER_ID", "Order number", "int"),
    DemoColumn("ORDER_DATE", "Order date", "date"),
    DemoColumn("CREATED_AT", "Created at", "datetime"),
    DemoColumn("CUSTOMER", "Customer", "string"),
    DemoColumn("REGION", "Region", "string"),
    DemoColumn("PRODUCT", "Product", "string"),
    DemoColumn("CATEGORY", "Category", "string"),
    DemoColumn("QUANTITY", "Quantity", "int"),
    DemoColumn("DISCOUNT", "Discount in percent", "double"),
    DemoColumn("AMOUNT", "Amount", "double"),
    DemoColumn("STATUS", "Status", "string"),
    DemoColumn("DELIVERED_ON", "Delivered on", "date"),
)


def _customers(chance: random.Random) -> list[list[Any]]:
    names = [f"{first} {second}" for first in FIRST_WORDS for second in SECOND_WORDS]
    return [
        [
            1000 + number,
            name,
            chance.choice(TOWNS),
            chance.choice(REGIONS),
            chance.choice(SEGMENTS),
            FIRST_DAY - timedelta(days=chance.randrange(30, 2500)),
            chance.choice((None, 500.0, 1000.0, 2500.0, 5000.0)),
        ]
        for number, name in enumerate(names)
    ]


def _orders(chance: random.Random, customers: list[list[Any]]) -> list[list[Any]]:
    days = sorted(int(DAYS * chance.random() ** 0.8) for _ in range(ORDERS))
    return [_order(chance, 5001 + number, day, customers) for number, day in enumerate(days)]


def _order(chance: random.Random, number: int, day: int, customers: list[list[Any]]) -> list[Any]:
    ordered = FIRST_DAY + timedelta(days=day)
    moment = datetime.combine(ordered, time(8)) + timedelta(seconds=chance.randrange(36000))
    customer = chance.choice(customers)
    product, category, price = chance.choices(PRODUCTS, weights=(3, 2, 4, 4, 20, 14, 8, 7, 6, 5))[0]
    quantity = chance.randrange(1, 25) if category == "Coffee" else chance.randrange(1, 4)
    discount = chance.choice((None, None, None, 5.0, 10.0))
    status = chance.choices([name for name, _ in STATUSES], weights=[weight for _, weight in STATUSES])[0]
    delivered = ordered + timedelta(days=chance.randrange(1, 9)) if status in ("shipped", "returned") else None
    amount = round(quantity * price * (1 - (discount or 0) / 100), 2)
    return [
        number,
        ordered,
        moment,
        customer[1],
        customer[3],
        product,
        category,
        quantity,
        discount,
        amount,
        status,
        delivered,
    ]
