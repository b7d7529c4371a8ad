"""Lists that are asked for: complete readings become intervals, and nothing else does."""

from datetime import timedelta

import pytest

from iterable_pipelines.api import Broken, Iterable, Refused
from iterable_pipelines.objects.list_members.turn import take_turn
from iterable_pipelines_tests.objects.list_turns import Lists, lists_of, world_of

ACTIVE, SEGMENT = 949814, 950000
GET_USERS = "/api/lists/getUsers"
SOON = timedelta(minutes=30)


def asked_for(lists: Lists, path: str = GET_USERS) -> list[str]:
    return [dict(each.params).get("listId", each.path) for each in lists.sandbox.requests(path)]


@pytest.mark.parametrize("project_type", ["email", "userid", "hybrid"])
def test_every_list_is_the_sandbox_s_in_projects_of_all_types(project_type: str) -> None:
    with lists_of(world_of(project_type=project_type)) as lists:
        lists.load_users()
        turn = lists.turn()
        # the people of the newest minute are not in the export yet, so of static lists those count who are
        exported = {key for (key,) in lists.warehouse.read("select user_key from streams.iterable_users")}
        for each in lists.world.objects.lists:
            if each["listType"] == "Standard":
                static = lists.now_on(each["id"])
                assert lists.truth(each["id"]) & exported <= static
                assert lists.state(each["id"]).members == len(static) > 20
            else:
                assert lists.now_on(each["id"]) == lists.truth(each["id"])
        assert sorted(asked_for(lists)) == ["949814", "950000", "950001", "950002"]
        assert {dict(each.params).get("preferUserId") for each in lists.sandbox.requests(GET_USERS)} == {
            "true" if project_type == "userid" else None
        }
        assert (turn.read, turn.failed) == (4, 0)


def test_who_is_gone_leaves_at_the_reading_and_who_returns_has_a_new_interval() -> None:
    with lists_of(world_of()) as lists:
        lists.turn()
        first, before = lists.now_on(SEGMENT), lists.state(SEGMENT).read_at
        lists.world.stop_clock(lists.world.now() + timedelta(days=2))
        lists.turn(ahead=SOON)
        second, later = lists.now_on(SEGMENT), lists.state(SEGMENT).read_at
        assert before and later and first - second and second - first and first & second
        left = {key: (joined, gone) for key, joined, gone in lists.intervals(SEGMENT) if gone}
        assert set(left) == first - second
        assert set(left.values()) == {(before.replace(tzinfo=None), later.replace(tzinfo=None))}
        lists.world.stop_clock(lists.world.end)
        lists.turn(ahead=2 * SOON)
        assert lists.now_on(SEGMENT) == first == lists.truth(SEGMENT)
        again = [row for row in lists.intervals(SEGMENT) if row[0] in first - second]
        assert len(again) == 2 * len(first - second)


def test_a_list_that_did_not_change_is_not_counted_by_iterable() -> None:
    with lists_of(world_of()) as lists:
        lists.turn()
        counted = len(lists.sandbox.requests("/api/lists/950000/size"))
        assert counted == 1
        lists.turn(ahead=SOON)
        assert len(lists.sandbox.requests("/api/lists/950000/size")) == counted
        assert lists.state(SEGMENT).joined == lists.state(SEGMENT).departed == 0


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("drop_tail", {"share": 0.05}, "the answer was cut"),
        ("cut_at_record", {"share": 0.95}, "cut off after"),
        ("no_last_newline", {}, "its last line has no end"),
        ("half_record", {}, "its last line has no end"),
        ("short", {}, "cut off after"),
        ("html200", {}, "a page came"),
        ("error200", {}, "an error came with status 200"),
        ("error_line", {}, "an error came with status 200"),
        ("empty", {"status": 200}, "the answer was cut"),
    ],
)
def test_an_answer_that_is_not_whole_changes_nothing(kind: str, options: dict, said: str) -> None:
    with lists_of(world_of(more_lists=1)) as lists:
        lists.turn()
        before, read_at = lists.intervals(SEGMENT), lists.state(SEGMENT).read_at
        lists.world.stop_clock(lists.world.now() + timedelta(hours=9))
        lists.sandbox.fault(kind, GET_USERS, match={"listId": str(SEGMENT)}, times=1, **options)
        turn = lists.turn(ahead=SOON)
        assert (turn.read, turn.failed) == (1, 1)
        assert lists.intervals(SEGMENT) == before
        state = lists.state(SEGMENT)
        assert said in (state.trouble or "")
        assert (state.failures, state.read_at) == (1, read_at)
        # the next whole answer mends it
        lists.turn(ahead=2 * SOON)
        assert lists.now_on(SEGMENT) == lists.truth(SEGMENT)
        assert (lists.state(SEGMENT).failures, lists.state(SEGMENT).trouble) == (0, None)


def test_a_cut_that_a_grown_list_hides_is_found_by_counting() -> None:
    with lists_of(world_of(more_lists=1)) as lists:
        lists.turn()
        everybody = len(lists.truth(SEGMENT))
        # people who were not on it come, then the answer is cut back to fewer than there are, but more than before
        lists.sandbox.fault(
            "more_lines", GET_USERS, match={"listId": str(SEGMENT)}, lines=[f"n{n}@b.c" for n in range(9)]
        )
        lists.sandbox.fault("status", f"/api/lists/{SEGMENT}/size", body=str(everybody + 30), status=200)
        lists.turn(ahead=SOON)
        assert len(lists.now_on(SEGMENT)) == everybody
        assert f"{everybody + 9:,} lines came of the {everybody + 30:,}" in (lists.state(SEGMENT).trouble or "")


def test_where_iterable_cannot_count_a_list_may_not_shrink() -> None:
    with lists_of(world_of(more_lists=1)) as lists:
        lists.turn()
        before = lists.now_on(SEGMENT)
        lists.sandbox.fault("status", f"/api/lists/{SEGMENT}/size", times=None, status=503)
        lists.sandbox.fault("drop_tail", GET_USERS, match={"listId": str(SEGMENT)}, share=0.05)
        lists.turn(ahead=SOON)
        assert lists.now_on(SEGMENT) == before
        assert "Iterable does not count them" in (lists.state(SEGMENT).trouble or "")


def test_a_first_reading_that_nothing_proves_is_not_taken() -> None:
    with lists_of(world_of(more_lists=1)) as lists:
        lists.sandbox.fault("status", f"/api/lists/{SEGMENT}/size", times=None, status=503)
        lists.sandbox.fault("drop_tail", GET_USERS, match={"listId": str(SEGMENT)}, share=0.5)
        turn = lists.turn()
        assert (turn.read, turn.failed) == (1, 1)
        assert lists.intervals(SEGMENT) == []
        assert f"iterable-pipelines lists --trust {SEGMENT}" in (lists.state(SEGMENT).trouble or "")
        lists.warehouse.read("update objects.list_states set trusted = true")
        lists.turn(ahead=SOON)
        assert lists.now_on(SEGMENT) == lists.truth(SEGMENT)


def test_too_many_requests_while_counting_are_nobody_s_trouble() -> None:
    with lists_of(world_of(more_lists=1)) as lists:
        lists.sandbox.fault("429", f"/api/lists/{SEGMENT}/size", times=2)
        turn = lists.turn()
        assert (turn.read, turn.failed) == (2, 0)
        assert asked_for(lists).count(str(SEGMENT)) > 1
        assert lists.now_on(SEGMENT) == lists.truth(SEGMENT)


def test_a_list_that_is_trusted_while_it_is_read_stays_trusted() -> None:
    with lists_of(world_of(more_lists=1)) as lists:

        def connect() -> Iterable:
            lists.warehouse.read("update objects.list_states set trusted = true where not trusted")
            return lists.connect()

        take_turn(connect, lists.warehouse, lists.settings, lambda text: None)
        for each in (ACTIVE, SEGMENT):
            assert lists.state(each).trusted
            assert lists.state(each).members == len(lists.truth(each))


def test_a_list_that_is_trusted_is_taken_as_it_comes() -> None:
    with lists_of(world_of(more_lists=1)) as lists:
        lists.turn()
        before = lists.now_on(SEGMENT)
        lists.warehouse.read("update objects.list_states set trusted = true")
        lists.sandbox.fault("drop_tail", GET_USERS, match={"listId": str(SEGMENT)}, share=0.05)
        lists.turn(ahead=SOON)
        assert lists.now_on(SEGMENT) < before


def test_a_list_that_never_answers_keeps_its_members_while_others_go_on() -> None:
    with lists_of(world_of()) as lists:
        lists.turn()
        before, read_at = lists.intervals(SEGMENT), lists.state(SEGMENT).read_at
        lists.sandbox.fault("status", GET_USERS, match={"listId": str(SEGMENT)}, times=None, status=500)
        lists.world.stop_clock(lists.world.now() + timedelta(days=2))
        tried = []
        for hours in (1, 2, 3, 4, 5, 6, 7, 9, 10, 14, 16, 21, 22, 27, 28):
            asked = asked_for(lists).count(str(SEGMENT))
            lists.turn(ahead=timedelta(hours=hours))
            tried += [hours] * (asked_for(lists).count(str(SEGMENT)) - asked)
        # more and more rarely: after 5 minutes, 10 … six hours
        assert tried == [1, 2, 3, 4, 5, 7, 10, 16, 22, 28]
        assert lists.intervals(SEGMENT) == before
        state = lists.state(SEGMENT)
        assert "HTTP 500" in (state.trouble or "") and state.read_at == read_at
        assert lists.now_on(SEGMENT + 1) == lists.truth(SEGMENT + 1)
        assert lists.state(SEGMENT + 1).failures == 0


def test_everybody_leaves_a_list_that_is_gone_and_comes_back_with_it() -> None:
    with lists_of(world_of()) as lists:
        lists.turn()
        members, others = lists.now_on(SEGMENT), lists.intervals(SEGMENT + 1)
        taken = lists.world.objects.lists.pop(5)
        assert taken["id"] == SEGMENT
        lists.turn(ahead=SOON)
        assert lists.now_on(SEGMENT) == set()
        state = lists.state(SEGMENT)
        assert state.gone_at and state.members == 0
        assert {gone for _, _, gone in lists.intervals(SEGMENT)} == {state.gone_at.replace(tzinfo=None)}
        lists.world.objects.lists.insert(5, taken)
        lists.turn(ahead=2 * SOON)
        assert lists.now_on(SEGMENT) == members
        assert lists.state(SEGMENT).gone_at is None
        assert lists.intervals(SEGMENT + 1) == others


def test_a_list_that_is_not_listed_any_more_is_left_without_asking() -> None:
    with lists_of(world_of()) as lists:
        lists.turn()
        lists.world.objects.lists.pop(5)
        lists.refresh()
        asked = asked_for(lists).count(str(SEGMENT))
        lists.turn(ahead=SOON)
        assert lists.now_on(SEGMENT) == set()
        assert asked_for(lists).count(str(SEGMENT)) == asked


@pytest.mark.parametrize("chosen", ["none", (ACTIVE,), (949810,), "all"])
def test_the_setting_says_what_is_asked_for(chosen: object) -> None:
    with lists_of(world_of(more_lists=1), dynamic_lists=chosen) as lists:
        lists.load_users()
        lists.turn()
        expected = {"none": [], "all": [str(ACTIVE), str(SEGMENT)]}.get(chosen, chosen)  # type: ignore[call-overload]
        assert sorted(asked_for(lists)) == sorted(map(str, expected))
        # static lists that are not asked for come with the users all the same
        assert lists.state(949811).members > 20


def test_without_users_static_lists_are_asked_for_like_the_others() -> None:
    with lists_of(world_of(more_lists=0), skip_users=True) as lists:
        lists.turn()
        for each in lists.world.objects.lists:
            assert lists.now_on(each["id"]) == lists.truth(each["id"])


def test_a_key_that_may_not_read_lists_ends_the_turn_at_once() -> None:
    with lists_of(world_of()) as lists:
        lists.sandbox.fault("status", GET_USERS, times=None, status=401)
        with pytest.raises(Refused, match="iterable-pipelines check"):
            lists.turn()
        assert len(asked_for(lists)) <= 8
        assert lists.state(SEGMENT).failures == 0


def test_where_iterable_cannot_be_reached_the_turn_ends_and_keeps_what_it_has() -> None:
    with lists_of(world_of(more_lists=30, users=10)) as lists:
        lists.sandbox.fault("reset", GET_USERS, times=None, after=12)
        with pytest.raises(Broken, match="cut off"):
            lists.turn()
        assert len(asked_for(lists)) < 30
        read = "select count(*) from objects.list_states where failures = 0 and read_at is not null"
        assert lists.warehouse.read(read) == [(12,)]


def test_lists_that_iterable_counts_otherwise_do_not_end_the_turn() -> None:
    with lists_of(world_of(more_lists=9, users=30)) as lists:
        lists.sandbox.fault("status", "/api/lists/95", times=None, body=1000, status=200)
        turn = lists.turn()
        assert (turn.read, turn.failed) == (1, 9)


def test_too_many_requests_are_nobody_s_trouble() -> None:
    with lists_of(world_of()) as lists:
        lists.sandbox.fault("429", GET_USERS, times=2)
        turn = lists.turn()
        assert (turn.read, turn.failed) == (4, 0)
        assert len(asked_for(lists)) == 6


def test_odd_answers_are_read_as_they_are_meant() -> None:
    with lists_of(world_of(more_lists=1)) as lists:
        lists.load_users()
        # blank lines, carriage returns, a byte order mark; then no line's end from the first time on
        lists.sandbox.fault("blank_lines", GET_USERS, match={"listId": str(SEGMENT)})
        lists.sandbox.fault("no_last_newline", GET_USERS, match={"listId": str(ACTIVE)}, times=None)
        lists.turn()
        lists.turn(ahead=SOON)
        for each in (ACTIVE, SEGMENT):
            assert lists.now_on(each) == lists.truth(each)
            assert lists.state(each).trouble is None


@pytest.mark.parametrize("ends", ["a@b.c\r", "a@b.c\r\n\r", "\ufeffa@b.c\t\r\r"])
def test_a_line_may_end_otherwise_than_the_others(ends: str) -> None:
    with lists_of(world_of(more_lists=1)) as lists:
        lists.sandbox.fault("more_lines", GET_USERS, match={"listId": str(SEGMENT)}, lines=[ends])
        lists.turn()
        assert lists.now_on(SEGMENT) == lists.truth(SEGMENT) | {"a@b.c"}
        assert lists.now_on(ACTIVE) == lists.truth(ACTIVE)


@pytest.mark.parametrize("line", ["x@b.c\ry@b.c", "x@b.c\x1fy", "x\0@b.c", "x" * 3_000_000])
def test_a_line_that_is_no_name_is_trouble_of_its_list_alone(line: str) -> None:
    with lists_of(world_of(more_lists=1)) as lists:
        lists.sandbox.fault("more_lines", GET_USERS, match={"listId": str(SEGMENT)}, lines=[line])
        turn = lists.turn()
        assert (turn.read, turn.failed) == (1, 1)
        assert "is neither an address nor a user id" in (lists.state(SEGMENT).trouble or "")
        assert lists.now_on(ACTIVE) == lists.truth(ACTIVE)


def test_who_no_record_knows_is_kept_by_the_name_that_came() -> None:
    with lists_of(world_of(more_lists=1), project_type="hybrid") as lists:
        strangers = [" Someone@Example.COM ", "U-77", "o'neil@x.y", 'a"b@x.y', "ü@büro.de", "a,b;c|d@x.y"]
        lists.sandbox.fault("more_lines", GET_USERS, match={"listId": str(SEGMENT)}, lines=strangers)
        lists.turn()
        known = lists.now_on(SEGMENT) - lists.truth(SEGMENT)
        assert known == {"someone@example.com", "U-77", "o'neil@x.y", 'a"b@x.y', "ü@büro.de", "a,b;c|d@x.y"}


def test_a_line_is_resolved_by_address_and_by_user_id() -> None:
    with lists_of(world_of(more_lists=1, project_type="hybrid")) as lists:
        lists.load_users()
        ((key, user_id),) = lists.warehouse.read(
            "select user_key, user_id from streams.iterable_users where _current and email is not null and user_id is "
            "not null and user_key not in (select user_key from objects.list_members) order by 1 limit 1"
        )
        lists.sandbox.fault("more_lines", GET_USERS, match={"listId": str(SEGMENT)}, lines=[user_id])
        lists.turn()
        assert key in lists.now_on(SEGMENT)
        assert user_id not in lists.now_on(SEGMENT)


def test_people_are_named_in_no_log() -> None:
    with lists_of(world_of()) as lists:
        lists.sandbox.fault("drop_tail", GET_USERS, share=0.5)
        lists.sandbox.fault("half_record", GET_USERS, times=1)
        said: list[str] = []
        lists.turn(said)
        lists.turn(said, ahead=SOON)
        assert said
        names = {name for each in lists.world.objects.lists for name in lists.truth(each["id"])}
        assert not [text for text in said for name in names if name in text]


def test_a_cut_that_makes_up_for_who_has_come_is_no_complete_reading() -> None:
    with lists_of(world_of(more_lists=1)) as lists:
        lists.turn()
        before = lists.intervals(SEGMENT)
        for days in range(1, 40):
            lists.world.stop_clock(lists.world.now() + timedelta(days=days))
            if len(lists.truth(SEGMENT)) == len(before) + 1:
                break
        assert len(lists.truth(SEGMENT)) == len(before) + 1
        # one has come, and one is cut off: as many as before
        lists.sandbox.fault("drop_tail", GET_USERS, match={"listId": str(SEGMENT)}, share=0.0)
        assert lists.turn(ahead=SOON).failed == 1
        assert lists.intervals(SEGMENT) == before
