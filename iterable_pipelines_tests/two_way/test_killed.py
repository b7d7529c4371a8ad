"""A run that is killed at any point: the next one ends where an undisturbed one would have."""

import json
import os
import subprocess
import sys

from iterable_pipelines_tests.two_way.conftest import ITEMS

POINTS = (
    "two_way_written_down",
    "two_way_table_written",
    "activation_sending",
    "activation_answered",
    "two_way_sent",
)
# a program of its own, so that it can be killed; each step of it in a process of its own, because it holds locks
PROGRAM = """
import json, os, sys, traceback
from functools import partial
import requests
from iterable_pipelines.settings import load_settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines.two_way.declaration import load_two_way
from iterable_pipelines.two_way.run import run_two_way
from iterable_pipelines_tests.activation.conftest import AT_ONCE, quick_client

settings = load_settings()
(declared,) = load_two_way(settings)

def step(work):
    child = os.fork()
    if not child:
        try:
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def run():
    run_two_way(settings, declared, (), print, partial(quick_client, settings, print), AT_ONCE)

def killed(point):
    os.environ["ITERABLE_CRASH_AT"] = point
    run()

def edit(round):
    headers = {"Api-Key": settings.required_api_key()}
    url = settings.url + "/api/catalogs/shop/items/"
    requests.put(f"{url}there{round}", json={"value": {"name": f"there {round}", "price": 1.5}}, headers=headers)
    requests.put(f"{url}both", json={"value": {"name": f"there {round}", "price": 1.5}}, headers=headers)
    requests.delete(f"{url}there{round - 2}", headers=headers)
    with Warehouse.of(settings).transaction() as con:
        con.execute(f"insert into shop.items (item_id, name, price) values ('here{round}', 'here {round}', 2.5)")
        con.execute(f"update shop.items set name = 'here {round}' where item_id = 'both'")
        con.execute(f"delete from shop.items where item_id = 'here{round - 2}'")

codes = [step(run)]
for round, point in enumerate(sys.argv[1:]):
    codes += [step(partial(edit, round)), step(partial(killed, point)), step(run)]
print("CODES " + json.dumps(codes))
"""


def test_a_killed_run_is_made_good_by_the_next_one(both_sides):
    both = both_sides(ITEMS)
    both.edit("both", name="Mug", price=1.5)
    both.edit("other", name="Mug", price=1.5)
    both.run()
    environment = {
        **os.environ,
        "ITERABLE_API_KEY": both.settings.required_api_key(),
        "ITERABLE_BASE_URL": both.settings.url,
        "ITERABLE_PROJECT_ROOT": str(both.settings.project_root),
        "ITERABLE_DATA_DIR": str(both.settings.data_dir),
        "ITERABLE_PROJECT_TYPE": "hybrid",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *POINTS], env=environment, capture_output=True, text=True, timeout=300
    )
    (line,) = [each for each in done.stdout.splitlines() if each.startswith("CODES ")] or [done.stderr]
    assert json.loads(line.removeprefix("CODES ")) == [0, *[0, -9, 0] * len(POINTS)], done.stderr
    last = len(POINTS) - 1
    names = {
        "both": f"here {last}",
        "other": "Mug",
        **{f"{side}{each}": f"{side} {each}" for side in ("here", "there") for each in (last - 1, last)},
    }
    assert {key: name for key, (name, _) in both.rows().items()} == names
    assert {key: value["name"] for key, value in both.items().items()} == names
    both.run()
    both.writes()
    assert both.run().counts == {} and both.writes() == 0 and both.problems() == {}
    # what each run did is in the log once
    assert both.here("select count(*) - count(distinct run_id) from two_way.runs") == [(0,)]
