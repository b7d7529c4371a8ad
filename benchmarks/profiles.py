"""What an hourly update of the profiles costs when history grows tenfold, as a ratio in one run.

    python benchmarks/profiles.py [--users 20000] [--events 5000] [--hours 72] [--markdown FILE]

Events are made in the warehouse by SQL: `events` an hour of eight data types by `users` people. Profiles are built, one
more hour is loaded, and the build that follows is timed, start of dbt included; then the same with ten times the hours.
The last line says what remains of the ratio when the cost of a build with nothing to do is taken off both.
"""

import argparse
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from iterable_pipelines.hours import parse_hour
from iterable_pipelines.profiles.build import run_models
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse

_START = parse_hour("2026-06-01")
# sends are the most, bounces the fewest
_MIX = ["emailSend"] * 4 + ["emailOpen"] * 2 + ["emailClick", "emailBounce"]


def fill(warehouse: Warehouse, first_hour: int, hours: int, users: int, events: int) -> None:
    """Load `hours` hours of made-up events, a few people doing most of it, with their rows in the load log."""
    start = f"timestamp '{(_START + timedelta(hours=first_hour)):%Y-%m-%d %H:%M:%S}'"
    with warehouse.transaction() as con:
        (load_id,) = con.execute("select nextval('streams.load_ids')").fetchone() or (0,)
        con.execute(
            "insert into streams.iterable_activity by name select "
            f"{_MIX}[1 + (hash(i, 1) % 8)::int] as data_type, md5(i::varchar || {first_hour}) as event_id, "
            f"'user' || floor(pow((hash(i, 2, {first_hour}) % 1000000) / 1e6, 2.2) * {users})::int || '@example.com' "
            f"as user_key, {start} + to_hours((i // {events})::int) as _hour, "
            f"{start} + to_hours((i // {events})::int) + to_seconds((hash(i, 3) % 3600)::int) as created_at, "
            "1000 + (hash(i, 4) % 40)::bigint as campaign_id, 2000 + (hash(i, 5) % 40)::bigint as template_id, "
            f"'export' as _source, now() at time zone 'UTC' as _loaded_at, {load_id} as _load_id "
            f"from range({hours * events}) as made(i)"
        )
        con.execute(
            "insert into streams.loads by name select distinct "
            f"{load_id} as load_id, 'iterable_activity' as stream, data_type, _hour as hour, 'x' as digest, "
            "count(*) as rows from streams.iterable_activity where _load_id = ? group by all",
            [load_id],
        )


def update_cost(hours: int, users: int, events: int) -> tuple[float, float, float]:
    """Seconds of the first build, of the build after one more hour, and of a build with nothing to do."""
    with tempfile.TemporaryDirectory(prefix="benchmark-profiles-") as folder:
        settings = Settings(api_key="benchmark", base_url="http://127.0.0.1:9", data_dir=Path(folder))
        warehouse = Warehouse.of(settings)
        warehouse.prepare()
        fill(warehouse, 0, hours, users, events)
        taken = []
        for number in range(3):
            if number == 1:
                fill(warehouse, hours, 1, users, events)
            began = time.perf_counter()
            run_models(settings, warehouse, log=lambda text: None)
            taken.append(time.perf_counter() - began)
        first, update, nothing = taken
        return first, update, nothing


def main() -> None:
    """Measure both histories, print the table, and append it to a file if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--events", type=int, default=5_000)
    parser.add_argument("--hours", type=int, default=72)
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args()
    lines = ["| hours of history | events | first build s | hourly update s | nothing to do s |"]
    lines.append("|---|---|---|---|---|")
    costs = []
    for hours in (given.hours, 10 * given.hours):
        first, update, nothing = update_cost(hours, given.users, given.events)
        costs.append((update, nothing))
        lines.append(f"| {hours} | {hours * given.events:,} | {first:.1f} | {update:.1f} | {nothing:.1f} |")
    (small, small_nothing), (large, large_nothing) = costs
    lines += [
        "",
        f"an hourly update at ten times the history costs {large / small:.2f} times as much, "
        f"{max(0.0, large - large_nothing) / max(0.1, small - small_nothing):.2f} times without what dbt costs anyway",
    ]
    print("\n".join(lines))
    if given.markdown:
        with given.markdown.open("a") as file:
            file.write("\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
