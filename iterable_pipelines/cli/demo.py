"""`demo`: the whole pipeline on the sandbox, in a minute or two, without an account."""

import time
from datetime import timedelta

from iterable_pipelines.cli.console import CannotGoOn, out, say, table
from iterable_pipelines.cli.demo_syncs import lay_out_examples, send_examples
from iterable_pipelines.cli.importing import import_hours
from iterable_pipelines.cli.profile import show_profile
from iterable_pipelines.cli.sandbox_project import sandbox_project
from iterable_pipelines.data_types import STREAMS
from iterable_pipelines.hours import Window, hour_key, hour_of, now
from iterable_pipelines.published import reading
from iterable_pipelines.settings import Settings


def demo() -> None:
    """Import the sandbox's last 24 hours of everything, build the profiles, show them, and send syncs back."""
    begun = time.monotonic()
    with sandbox_project() as settings:
        end = hour_of(now())
        window = Window(end - timedelta(hours=24), end)
        streams = [stream.name for stream in STREAMS if settings.enabled_data_types(stream.name)]
        say(f"Importing {hour_key(window.start)} to {hour_key(window.end)} UTC into {settings.data_dir}")
        lay_out_examples(settings)
        troubles = import_hours(settings, window, streams)
        if troubles:
            lines = "\n".join(f"  {line}" for line in troubles)
            raise CannotGoOn(f"The demo is not complete.\n{lines}\nNext: run it again; it goes on from here")
        _show(settings)
        send_examples(settings)
    say(f"Done in {time.monotonic() - begun:.0f} s. Everything lies in {settings.data_dir}; remove it to start afresh.")
    say(f"For DuckDB, pandas or a BI tool: {settings.published_path}")
    say("Next: `make dev`, then open http://127.0.0.1:3000, which shows this data and lets it grow")


def _show(settings: Settings) -> None:
    with reading(settings) as con:
        shown = table("What arrived", "stream", "rows", "users", "data types", numbers=("rows", "users"))
        for stream in STREAMS:
            current = "where _current" if stream.name == "iterable_users" else ""
            count, users = con.execute(
                f"select count(*), count(distinct user_key) from streams.{stream.name} {current}"
            ).fetchone() or (0, 0)
            types = con.execute(
                "select data_type, sum(rows)::BIGINT from streams.loads where stream = ? group by 1 order by 2 desc, 1",
                [stream.name],
            ).fetchall()
            spelled = ", ".join(f"{name} {rows:,}" for name, rows in types if rows) or "none"
            shown.add_row(f"streams.{stream.name}", f"{count:,}", f"{users:,}", spelled)
        out().print(shown)
        # some people of the sandbox have addresses as odd as Iterable allows; they are no good as an example
        found = con.execute(
            "select user_key, (select count(*) from profiles.user_profiles) from profiles.user_profiles "
            "order by user_key similar to '[a-z0-9.]+@[a-z.]+' desc, len(it_event) desc, user_key limit 1"
        ).fetchone()
        marts = {
            name: con.execute(f"select count(*) from marts.iterable__{name}").fetchone() or (0,)
            for name in ("events", "user_campaign", "campaigns", "users")
        }
        say("Marts: " + ", ".join(f"marts.iterable__{name} {count:,}" for name, (count,) in marts.items()))
    if found:
        say(f"{found[1]:,} profiles in profiles.user_profiles; this person did the most kinds of things:")
        show_profile(settings, found[0])
