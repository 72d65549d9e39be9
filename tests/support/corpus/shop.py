"""The shop that the corpus migrates: a first revision, and rows."""

from __future__ import annotations

from typing import Final

from tests.support.corpus.migration import sql

#: The first revision.
SCHEMA: Final = sql(
    "CREATE TYPE order_state AS ENUM ('open', 'paid')",
    "CREATE TYPE priority AS ENUM ('low')",
    "CREATE TABLE countries (id int PRIMARY KEY, code varchar(2) NOT NULL, place int)",
    "CREATE TABLE customers (id bigint PRIMARY KEY, email varchar(100), name varchar(50),"
    " nickname varchar(50), age int, balance numeric(10,2), joined timestamp, note text, country_id int,"
    " CONSTRAINT nickname_is_there CHECK (nickname IS NOT NULL))",
    "CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint, payer_id bigint, gift_id bigint,"
    " state order_state NOT NULL DEFAULT 'open', total numeric(10,2), quantity int, code varchar(20),"
    " legacy text, placed_at timestamptz DEFAULT now())",
    "CREATE DOMAIN fee AS int",
    "ALTER TABLE orders ADD COLUMN fee fee",
    "CREATE TABLE returns (id bigint PRIMARY KEY, order_id bigint REFERENCES orders)",
    "ALTER TABLE orders ADD CONSTRAINT fk_orders_payer FOREIGN KEY (payer_id) REFERENCES customers (id)",
    "ALTER TABLE orders ADD CONSTRAINT fk_orders_gift"
    " FOREIGN KEY (gift_id) REFERENCES customers (id) NOT VALID",
    "ALTER TABLE orders ADD CONSTRAINT quantity_is_positive CHECK (quantity > 0)",
    "CREATE INDEX ix_orders_code ON orders (code)",
    "CREATE TABLE events (id bigint, kind text) PARTITION BY RANGE (id)",
    "CREATE TABLE events_old PARTITION OF events FOR VALUES FROM (0) TO (10000000)",
    "CREATE TABLE events_spare (id bigint, kind text)",
    "CREATE TABLE events_checked (id bigint, kind text, CONSTRAINT bounds"
    " CHECK (id IS NOT NULL AND id >= 20000000 AND id < 30000000))",
    "CREATE VIEW notes AS SELECT id, note FROM customers",
    "CREATE MATERIALIZED VIEW days AS SELECT id, placed_at FROM orders WHERE id % 5 = 0",
    "CREATE UNIQUE INDEX ix_days_id ON days (id)",
    "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "CREATE FUNCTION shout(text) RETURNS text LANGUAGE sql AS 'SELECT upper($1)'",
    "CREATE TRIGGER touched BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION touch()",
    "CREATE POLICY everybody ON orders USING (true)",
)

#: Each reference is checked when its row comes, so there are few.
_SOME: Final = "CASE WHEN i % 20 = 0 THEN i END"

#: Rows of a table that is not large.
FEW: Final = 20

_ROWS: Final = """
    INSERT INTO countries SELECT i, 'XX', i FROM generate_series(1, {few}) AS i;
    INSERT INTO customers
        SELECT i, 'c' || i || '@example.org', 'name ' || i, 'nick', i % 90, i % 1000, now(), 'note',
            1 + i % {few}
        FROM generate_series(1, {rows}) AS i;
    INSERT INTO orders
        SELECT i, i, {some}, {some}, 'open', i % 100, 1 + i % 9, 'code ' || i, '7'
        FROM generate_series(1, {rows}) AS i;
    INSERT INTO returns SELECT i, {some} FROM generate_series(1, {others}) AS i;
    INSERT INTO events SELECT i, 'kind' FROM generate_series(1, {others}) AS i;
    INSERT INTO events_spare SELECT 10000000 + i, 'kind' FROM generate_series(1, {others}) AS i;
    INSERT INTO events_checked SELECT 20000000 + i, 'kind' FROM generate_series(1, {others}) AS i;
    REFRESH MATERIALIZED VIEW days;
"""


def rows(count: int) -> str:
    """Return the script that makes so many customers and orders, and a fifth of all else that is large."""
    return _ROWS.format(rows=count, others=count // 5, few=FEW, some=_SOME)
