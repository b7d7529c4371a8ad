"""How much of the memory that DuckDB may use one connection takes."""

import duckdb


def take_share(con: duckdb.DuckDBPyConnection, share: float) -> None:
    """Let a connection use this share of the limit it has; beyond it, it works on disk."""
    size, unit = str(con.execute("select current_setting('memory_limit')").fetchall()[0][0]).split()
    con.execute(f"set memory_limit = '{float(size) * share}{unit}'")
