"""The world: the same for everybody, alive, complete, and as odd as Iterable's own data."""

import json
from collections import Counter
from datetime import timedelta

import pytest

from iterable_pipelines.data_types import DATA_TYPE
from iterable_pipelines.hours import Window
from iterable_pipelines.sandbox import World
from iterable_pipelines.sandbox.world import utc

START, DAY, END = utc("2026-10-20"), Window(utc("2026-11-01"), utc("2026-11-02")), utc("2026-11-02")
LATER = END + timedelta(days=7)


def day_of(world: World) -> dict[str, list[bytes]]:
    return {name: list(world.records(name, DAY, LATER)) for name in DATA_TYPE}


@pytest.fixture(scope="module")
def world() -> World:
    return World(seed=1, start=START, end=END)


@pytest.fixture(scope="module")
def day(world: World) -> dict[str, list[bytes]]:
    return day_of(world)


@pytest.fixture(scope="module")
def records(day: dict[str, list[bytes]]) -> dict[str, list[dict]]:
    return {name: [json.loads(line) for line in lines] for name, lines in day.items()}


def test_the_same_seed_gives_the_same_bytes_in_the_same_order(day):
    assert day_of(World(seed=1, start=START, end=END)) == day


def test_another_seed_gives_another_world(day):
    assert day_of(World(seed=2, start=START, end=END))["emailSend"] != day["emailSend"]


def test_where_the_world_starts_changes_no_record(day):
    assert day_of(World(seed=1, start=utc("2026-10-31"), end=END)) == day


def test_the_order_in_which_windows_are_asked_for_changes_no_record(day):
    other = World(seed=1, start=START, end=END)
    for name in reversed(DATA_TYPE):
        assert list(other.records(name, DAY, LATER)) == day[name]


@pytest.mark.parametrize("users", [20, 300])
def test_every_data_type_occurs_several_times_a_day(users):
    week = Window(utc("2026-10-25"), END)
    world = World(users=users, start=START, end=END)
    rare = {name for name in DATA_TYPE if sum(1 for _ in world.records(name, week, LATER)) < 14}
    assert not rare


def test_a_day_has_thousands_of_events(day):
    assert 5_000 < sum(map(len, day.values())) < 10_000


def test_activity_scales_the_number_of_events(day):
    busy = World(seed=1, activity=3, start=START, end=END)
    assert sum(1 for _ in busy.records("emailSend", DAY, LATER)) > 2.5 * len(day["emailSend"])


def test_windows_tile_exactly(world, day):
    for name in DATA_TYPE:
        hours = [Window.of_hour(hour) for hour in DAY.hours()]
        halves = [half for hour in hours for half in hour.halves()]
        tiled = Counter(line for window in halves for line in world.records(name, window, LATER))
        assert tiled == Counter(day[name])


def test_records_lie_in_their_window_by_their_own_time(records):
    for name, rows in records.items():
        key = "profileUpdatedAt" if name == "user" else "createdAt"
        assert {each[key][:10] for each in rows} <= {"2026-11-01"}


def test_exports_have_no_order(records):
    stamps = [each["createdAt"] for each in records["emailSend"]]
    assert stamps != sorted(stamps) and stamps != sorted(stamps, reverse=True)


def test_the_clock_decides_what_is_visible():
    world = World(start=START, end=END)
    moment = utc("2026-11-01T12:00:00")
    early = {name: Counter(world.records(name, DAY, moment)) for name in DATA_TYPE if name != "user"}
    late = {name: Counter(world.records(name, DAY, LATER)) for name in DATA_TYPE if name != "user"}
    for name in early:
        assert not early[name] - late[name]
    hour = Window.of_hour(utc("2026-11-01T11:00:00"))
    assert sum(1 for _ in world.records("emailOpen", hour, moment)) < sum(
        1 for _ in world.records("emailOpen", hour, LATER)
    )


def test_some_mobile_events_arrive_hours_and_some_days_late(world):
    hours = [(each.visible - each.created) / 3600 for each in world.events("inAppOpen", DAY, LATER)]
    assert any(1 <= each < 6 for each in hours) and any(each >= 24 for each in world_lags(world))
    assert sum(each < 1 for each in hours) > len(hours) / 2


def world_lags(world: World) -> list[float]:
    week = Window(utc("2026-10-26"), END)
    return [(each.visible - each.created) / 3600 for each in world.events("inAppDelivery", week, LATER)]


def test_opens_are_indexed_minutes_late_and_sends_are_not(world):
    minutes = [(each.visible - each.created) / 60 for each in world.events("emailOpen", DAY, LATER)]
    assert any(4 < each < 7 for each in minutes)
    assert all(each.visible - each.created < 60 for each in world.events("emailSend", DAY, LATER))


def test_a_live_world_gets_new_events_by_the_clock():
    world = World(users=3000, activity=20)
    now = world.now()
    hour = Window(now - timedelta(hours=1), now)
    assert (
        0
        < sum(1 for _ in world.records("customEvent", hour))
        < sum(1 for _ in world.records("customEvent", hour, now + timedelta(days=5)))
    )


def test_all_records_is_what_all_exports_together_show(world, day):
    truth = world.all_records("purchase", LATER)
    window = Window(START, END)
    assert Counter(map(json.dumps, truth)) == Counter(
        json.dumps(json.loads(line)) for line in world.records("purchase", window, LATER)
    )


def test_of_one_person_everything_is_found_that_exports_show_twins_too():
    world = World(seed=1, start=DAY.start, end=END, plain=True)
    shown: dict[str, Counter[bytes]] = {}
    for line in (each.line for name in DATA_TYPE if name != "user" for each in world.seeded_events(name, DAY)):
        record = json.loads(line)
        for name in {(record.get("email") or "").strip().lower(), record.get("userId") or ""} - {""}:
            shown.setdefault(name, Counter())[line] += 1
    found = {name: Counter(each.line for each in world.seeded_events_of({name}, DAY)) for name in shown}
    assert found == shown and any(count > 1 for lines in shown.values() for count in lines.values())


def test_the_past_before_the_start_is_empty(world):
    assert not list(world.records("emailSend", Window(START - timedelta(days=3), START), LATER))


def test_a_changed_user_leaves_the_export_of_the_old_window():
    world = World(start=START, end=LATER)
    early = {json.loads(line)["itblUserId"]: line for line in world.records("user", DAY, END) if b"itblUserId" in line}
    later = {
        json.loads(line)["itblUserId"]: line for line in world.records("user", DAY, LATER) if b"itblUserId" in line
    }
    after = {
        json.loads(line)["itblUserId"]
        for line in world.records("user", Window(END, LATER), LATER)
        if b"itblUserId" in line
    }
    gone = set(early) - set(later)
    assert gone and gone <= after and set(later) < set(early)


def test_each_person_is_exported_once(world):
    ids = Counter(each["itblUserId"] for each in world.all_records("user") if "itblUserId" in each)
    assert set(ids.values()) == {1}


def test_some_people_change_their_address_and_stay_who_they_are():
    world = World(start=START, end=LATER)
    changed = [
        person for person in world.people.between(int(START.timestamp()), int(LATER.timestamp())) if person.next_email
    ]
    assert changed
    person = changed[0]
    before, after = person.email_at(person.email_changes - 1), person.email_at(person.email_changes)
    assert before != after and person.itbl_user_id
    assert person.email_changes in world.people.updates(person, person.email_changes // 86_400)


def test_profiles_are_stamped_before_they_are_visible(world):
    person = next(iter(world.people.between(int(START.timestamp()), int(END.timestamp()))))
    assert world.people.last_update(person, person.joined, person.joined + 100) is None
    assert world.people.last_update(person, person.joined + 70, person.joined + 100) == person.joined


def test_people_sign_up_all_the_time(world):
    begin, end = int(START.timestamp()), int(END.timestamp())
    assert [each for each in world.people.between(begin, end) if begin <= each.joined < end]


@pytest.mark.parametrize(("project_type", "least"), [("hybrid", 20), ("userid", 60)])
def test_other_project_types_have_more_people_known_by_id_only(project_type, least):
    users = World(start=START, end=END, project_type=project_type).all_records("user")
    assert sum(not each.get("email") for each in users) >= least
    assert all(each["itblUserId"] for each in users) and all("emailListIds" not in each for each in users)


class TestOddities:
    def test_shapes_of_time(self, records):
        stamps = [each["createdAt"] for name, rows in records.items() if name != "user" for each in rows]
        common = sum(each.endswith(" +00:00") for each in stamps)
        assert 0.95 < common / len(stamps) < 1
        assert {each[19:] for each in stamps} == {" +00:00", " +0000", ".000Z", ".134105.000Z", ""}

    def test_users(self, records, world):
        users = world.all_records("user")
        keys = {key for each in users for key in each}
        assert {
            "itblInternal.emailDomain",
            "Plan",
            "plan",
            "senate Districts",
            "a.b",
            "bigNumber",
            "first_name",
            "firstName",
        } <= keys
        assert any(not each.get("email") and each.get("userId") for each in users)
        assert any(each.get("email", 0) is None for each in users) and any(
            "city" in each and each["city"] is None for each in users
        )
        assert any(each.get("email") and each["email"] != each["email"].strip().lower() for each in users)
        emails = " ".join(each.get("email") or "" for each in users)
        assert all(sign in emails for sign in ("+", "'", "ü", "%", "/"))
        assert sum(each.get("userId") == "1234" for each in users) >= 2

    def test_types_drift(self, world):
        rows = world.all_records("customEvent", LATER)
        assert {type(each["score"]) for each in rows if "score" in each} >= {int, str, float, dict, list, type(None)}
        assert {type(each["campaignId"]) for each in world.all_records("emailSend", LATER)} == {int, str}

    def test_events_without_names(self, world):
        rows = world.all_records("customEvent", LATER)
        assert any("eventName" not in each for each in rows)
        assert {None, ""} <= {each.get("eventName", "missing") for each in rows}

    def test_transactional_data_is_a_string_and_sometimes_broken(self, world):
        texts = [each["transactionalData"] for each in world.all_records("pushSend", LATER)]
        assert None in texts and "" in texts
        broken = 0
        for text in filter(None, texts):
            try:
                json.loads(text)
            except ValueError:
                broken += 1
        assert 0 < broken < len(texts) / 2

    def test_a_plain_world_has_none_of_what_stops_other_importers(self):
        world = World(users=40, start=START, end=END, plain=True)
        records = {name: world.all_records(name, LATER) for name in DATA_TYPE}
        events = [each for name, rows in records.items() if name != "user" for each in rows]
        stamps = [each["createdAt"] for each in events] + [each["profileUpdatedAt"] for each in records["user"]]
        assert {each[19:] for each in stamps} == {" +00:00"}
        assert {type(each["campaignId"]) for each in events if "campaignId" in each} == {int}
        assert {type(each["templateId"]) for each in events if "templateId" in each} == {int}
        nested = [json.loads(each["transactionalData"]) for each in events if "transactionalData" in each]
        assert {type(each) for each in nested} == {dict} and any("order" in each for each in nested)

    def test_twins(self, day):
        assert any(count > 1 for count in Counter(day["customEvent"] + day["emailSend"]).values())

    def test_fields_that_profiles_need(self, world):
        sends, opens = world.all_records("pushSend", LATER), world.all_records("pushOpen", LATER)
        assert any("deeplink" in each for each in sends)
        assert any("deeplink_ios" in each for each in opens) and any("deeplink_andriod" in each for each in opens)
        assert all(each["toPhoneNumber"].startswith("+") for each in world.all_records("smsSend", LATER))
        for name in ("emailSend", "emailOpen", "pushSend", "pushOpen"):
            rows = world.all_records(name, LATER)
            assert any("experience_id" in each for each in rows) and any("experience_id" not in each for each in rows)

    def test_keys_of_records(self, records, world):
        rows = [each for name, some in records.items() if name != "user" for each in some]
        assert any("itblInternal" in each for each in rows)
        assert any(not each.get("email") and each.get("userId") for each in rows)
        strangers = world.all_records("unknownSession", LATER)
        assert any(not each.get("email") and not each.get("userId") for each in strangers)
        assert any("campaignName" in each for each in rows)

    def test_escaped_and_plain_unicode(self, day):
        assert any(b"\\u" in line for line in day["customEvent"])
        assert any(b"\xc3" in line for line in day["customEvent"])

    def test_a_message_keeps_its_id_through_send_open_and_click(self, world):
        sent = {each["messageId"] for each in world.all_records("emailSend", LATER)}
        opened = Counter(each["messageId"] for each in world.all_records("emailOpen", LATER))
        assert len(set(opened) - sent) < len(opened) / 20 and any(count > 1 for count in opened.values())


def test_people_leave_channels_and_message_types_and_come_back(world, records):
    channels = {each["id"] for each in world.objects.channels}
    types = {each["id"] for each in world.objects.message_types}
    users = world.all_records("user")
    for field, known in (
        ("unsubscribedChannelIds", channels),
        ("unsubscribedMessageTypeIds", types),
        ("subscribedMessageTypeIds", types),
    ):
        named = {each for user in users for each in user.get(field, ())}
        assert named and named <= known, field
    came, left = (
        {each for record in records[name] for each in record["channelIds"]}
        for name in ("emailSubscribe", "emailUnSubscribe")
    )
    assert came & left and came | left <= channels
