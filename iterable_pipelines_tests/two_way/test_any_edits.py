"""Random edits on both sides, runs at any time between them: both sides meet, and nothing is lost or sent twice."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

KEYS = ("a", "b", "c")
EDIT = st.tuples(
    st.sampled_from(["here", "there"]), st.sampled_from(KEYS), st.sampled_from([None, "Mug", "Cup", "Jug"])
)
STEPS = st.lists(st.one_of(EDIT, st.just("run"), st.just("happen")), max_size=6)


def edit(both, side, key, name):
    if side == "there":
        both.edit(key, name=name, price=1.5) if name else both.remove(key)
    else:
        added = f"insert into shop.items (item_id, name, price) values ('{key}', '{name}', 1.5)" if name else "select 1"
        both.here(f"delete from shop.items where item_id = '{key}'", added)


@settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEPS, min_size=2, max_size=2))
def test_both_sides_meet_and_nothing_is_lost(shared, rounds):
    for steps in rounds:
        # the side that touched a record alone, and with what, since both sides were alike
        touched: dict[str, dict[str, str | None]] = {}
        for step in steps:
            if step == "run":
                shared.run(*APPROVED)
            elif step == "happen":
                shared.sandbox.world.settle(everything=True)
            else:
                side, key, name = step
                edit(shared, side, key, name)
                touched.setdefault(key, {})[side] = name
        for _ in range(2):
            shared.run(*APPROVED)
            shared.sandbox.world.settle(everything=True)
        shared.writes()
        assert shared.run(*APPROVED).counts == {} and shared.writes() == 0 and shared.problems() == {}
        here = {key: name for key, (name, _) in shared.rows().items()}
        there = {key: value["name"] for key, value in shared.items().items()}
        assert here == there
        for key, sides in touched.items():
            if len(sides) == 1:
                assert here.get(key) == next(iter(sides.values()))


APPROVED = ("changes", "deletes", "empty_side")
