"""The sandbox over HTTP: what it answers to whom."""

import csv
import io
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta

import pytest
import requests

from iterable_pipelines.data_types import DATA_TYPE
from iterable_pipelines.hours import Window
from iterable_pipelines.sandbox import Sandbox, running_sandbox
from iterable_pipelines.sandbox.world import utc

DAY = Window(utc("2026-11-01"), utc("2026-11-02"))
HOUR = {"startDateTime": "2026-11-01 03:00:00", "endDateTime": "2026-11-01 04:00:00"}


@pytest.fixture(scope="module")
def sandbox():
    with running_sandbox(start=utc("2026-10-25"), end=utc("2026-11-02"), relaxed=True) as running:
        yield running


def get(
    sandbox: Sandbox, path: str, key: str | None = None, headers: dict | None = None, **params
) -> requests.Response:
    headers = {"Api-Key": key or sandbox.key} | (headers or {})
    return requests.get(sandbox.url + path, params=params, headers=headers, timeout=30)


def test_a_connection_that_stays_open_is_no_slower_than_a_new_one(sandbox):
    def median(ask) -> float:
        taken = []
        for _ in range(15):
            begun = time.monotonic()
            assert ask(sandbox.url + "/api/channels", headers={"Api-Key": sandbox.key}, timeout=30).ok
            taken.append(time.monotonic() - begun)
        return sorted(taken)[7]

    with requests.Session() as session:
        assert median(session.get) < 5 * median(requests.get)


def lines(answer: requests.Response) -> list[bytes]:
    assert answer.status_code == 200
    return answer.content.split(b"\n")[:-1]


@pytest.mark.parametrize("data_type", DATA_TYPE)
def test_an_export_is_exactly_the_worlds_records(sandbox, data_type):
    answer = get(sandbox, "/api/export/data.json", dataTypeName=data_type, **HOUR)
    expected = sandbox.world.records(data_type, Window.of_hour(utc("2026-11-01T03:00:00")))
    assert lines(answer) == list(expected)
    assert answer.headers["content-type"] == "application/x-json-stream"
    assert answer.headers["transfer-encoding"] == "chunked"


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-11-01 03:00:00", "2026-11-01 04:00:00"),
        ("2026-11-01 03:00:00 +00:00", "2026-11-01 04:00:00 +0000"),
        ("2026-11-01 05:00:00 +02:00", "2026-11-01T04:00:00.000Z"),
        ("2026-11-01T03:00:00Z", "2026-11-01 04:00:00"),
    ],
)
def test_dates_are_read_in_every_accepted_form(sandbox, start, end):
    asked = get(sandbox, "/api/export/data.json", dataTypeName="emailSend", startDateTime=start, endDateTime=end)
    assert lines(asked) == lines(get(sandbox, "/api/export/data.json", dataTypeName="emailSend", **HOUR))


def test_a_plus_sign_that_nobody_encoded_is_understood(sandbox):
    url = f"{sandbox.url}/api/export/data.json?dataTypeName=emailSend&startDateTime=2026-11-01%2003:00:00%20+00:00"
    answer = requests.get(url + "&endDateTime=2026-11-01%2004:00:00", headers={"Api-Key": sandbox.key}, timeout=30)
    assert lines(answer)


def test_a_day_may_be_written_as_a_date(sandbox):
    answer = get(
        sandbox, "/api/export/data.json", dataTypeName="rcsSend", startDateTime="2026-11-01", endDateTime="2026-11-02"
    )
    assert Counter(lines(answer)) == Counter(sandbox.world.records("rcsSend", DAY))


def test_range_yesterday(sandbox):
    answer = get(sandbox, "/api/export/data.json", dataTypeName="rcsSend", range="Yesterday")
    assert Counter(lines(answer)) == Counter(sandbox.world.records("rcsSend", DAY))


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"dataTypeName": "emailSend"},
        {"dataTypeName": "nope", "range": "All"},
        {"dataTypeName": "emailSend", "range": "Sometimes"},
        {"dataTypeName": "emailSend", "startDateTime": "2026-11-01"},
        {"dataTypeName": "emailSend", "startDateTime": "01/11/2026", "endDateTime": "02/11/2026"},
        {"dataTypeName": "emailSend", "startDateTime": "2026-11-02", "endDateTime": "2026-11-01"},
    ],
)
def test_a_wrong_question_is_a_400(sandbox, params):
    answer = get(sandbox, "/api/export/data.json", **params)
    assert answer.status_code == 400 and answer.json()["code"] == "BadParams"


def test_spelling_of_data_types_ignores_case(sandbox):
    assert get(sandbox, "/api/export/data.json", dataTypeName="emailUnsubscribe", **HOUR).status_code == 200


def test_an_empty_window_is_an_empty_200(sandbox):
    answer = get(
        sandbox, "/api/export/data.json", dataTypeName="user", startDateTime="2020-01-01", endDateTime="2020-01-02"
    )
    assert (answer.status_code, answer.content) == (200, b"")


def test_only_and_omit_fields(sandbox):
    answer = get(sandbox, "/api/export/data.json", dataTypeName="emailSend", onlyFields=["createdAt", "email"], **HOUR)
    assert all(set(json.loads(line)) <= {"createdAt", "email"} for line in lines(answer))
    answer = get(
        sandbox, "/api/export/data.json", dataTypeName="user", omitFields="itblInternal.emailDomain,city", range="All"
    )
    assert all(not {"itblInternal.emailDomain", "city"} & set(json.loads(line)) for line in lines(answer))


def test_one_campaign(sandbox):
    sent = [json.loads(line) for line in lines(get(sandbox, "/api/export/data.json", dataTypeName="pushSend", **HOUR))]
    campaign = str(sent[0]["campaignId"])
    answer = get(sandbox, "/api/export/data.json", dataTypeName="pushSend", campaignId=campaign, **HOUR)
    assert len(lines(answer)) == sum(str(each["campaignId"]) == campaign for each in sent)


def test_csv_has_every_record_as_a_row(sandbox):
    answer = get(sandbox, "/api/export/data.csv", dataTypeName="purchase", delimiter=";", **HOUR)
    rows = list(csv.DictReader(io.StringIO(answer.content.decode()), delimiter=";"))
    expected = list(sandbox.world.records("purchase", Window.of_hour(utc("2026-11-01T03:00:00"))))
    assert len(rows) == len(expected) and {row["createdAt"] for row in rows} == {
        json.loads(each)["createdAt"] for each in expected
    }


def test_gzip_when_asked_for():
    with running_sandbox(start=utc("2026-10-31"), end=utc("2026-11-02"), gzip=True) as sandbox:
        zipped = get(sandbox, "/api/export/data.json", dataTypeName="emailSend", **HOUR)
        plain = get(
            sandbox, "/api/export/data.json", headers={"Accept-Encoding": "identity"}, dataTypeName="emailSend", **HOUR
        )
        assert zipped.headers["content-encoding"] == "gzip" and "content-encoding" not in plain.headers
        assert zipped.content == plain.content != b""


def test_user_events_carry_their_type(sandbox):
    email = next(
        each["email"] for each in sandbox.world.all_records("emailSend") if each.get("email") and "userId" not in each
    )
    found = [json.loads(line) for line in lines(get(sandbox, "/api/export/userEvents", email=email))]
    assert {"emailSend"} <= {each["_type"] for each in found} and "customEvent" not in {each["_type"] for each in found}
    more = lines(get(sandbox, "/api/export/userEvents", email=email, includeCustomEvents="true"))
    assert len(more) >= len(found)
    assert get(sandbox, "/api/export/userEvents").status_code == 400


class TestKeys:
    def test_an_unknown_key(self, sandbox):
        answer = get(sandbox, "/api/channels", key="wrong")
        assert answer.status_code == 401 and answer.json()["code"] == "BadApiKey"

    def test_no_key(self, sandbox):
        assert requests.get(sandbox.url + "/api/channels", timeout=30).status_code == 401

    def test_a_read_only_key_reads_but_does_not_export(self, sandbox):
        key = sandbox.read_only_key
        assert get(sandbox, "/api/channels", key=key).status_code == 200
        assert get(sandbox, "/api/lists/949810/size", key=key).status_code == 200
        for path in (
            "/api/export/data.json",
            "/api/lists/getUsers",
            "/api/users/forgotten",
            "/api/catalogs",
            "/api/webhooks",
        ):
            answer = get(sandbox, path, key=key)
            assert answer.status_code == 401 and "insufficient privileges" in answer.json()["msg"]

    def test_the_older_spelling_of_the_header(self, sandbox):
        assert requests.get(sandbox.url + "/api/channels", headers={"api_key": sandbox.key}, timeout=30).ok

    def test_a_key_of_one_region_is_unknown_in_the_other(self, sandbox):
        with running_sandbox(users=5, key="european") as europe:
            assert get(europe, "/api/channels").status_code == 200
            assert get(europe, "/api/channels", key=sandbox.key).status_code == 401
            assert get(sandbox, "/api/channels", key=europe.key).status_code == 401

    def test_the_log_never_holds_a_key(self, sandbox):
        get(sandbox, "/api/channels", key="very-secret")
        log = requests.get(sandbox.url + "/_sandbox/requests", timeout=30).text
        assert "very-secret" not in log and '"fault"' in log


class TestObjects:
    def pages(self, sandbox, path, key, **params):
        rows, page = [], 1
        while True:
            answer = get(sandbox, path, page=page, **params).json()
            rows += answer[key]
            if "nextPageUrl" not in answer:
                return rows
            page += 1

    def test_campaigns_are_paged(self, sandbox):
        small = self.pages(sandbox, "/api/campaigns", "campaigns", pageSize=7)
        assert small == get(sandbox, "/api/campaigns", pageSize=1000).json()["campaigns"]
        assert len(get(sandbox, "/api/campaigns").json()["campaigns"]) == 20
        assert get(sandbox, "/api/campaigns", pageSize=1001).status_code == 400

    def test_every_campaign_of_an_event_is_listed_with_its_template_and_channel(self, sandbox):
        campaigns = {each["id"]: each for each in self.pages(sandbox, "/api/campaigns", "campaigns", pageSize=1000)}
        channels = {each["id"] for each in get(sandbox, "/api/channels").json()["channels"]}
        kinds = {each["id"]: each["channelId"] for each in get(sandbox, "/api/messageTypes").json()["messageTypes"]}
        for name in (
            "emailSend",
            "pushSend",
            "smsSend",
            "inAppSend",
            "webPushSend",
            "embeddedSend",
            "whatsAppSend",
            "rcsSend",
        ):
            for event in sandbox.world.all_records(name):
                assert campaigns[int(event["campaignId"])]["templateId"] == event["templateId"]
                assert event["channelId"] in channels and kinds[event["messageTypeId"]] == event["channelId"]

    def test_templates_are_found_by_type_and_medium_only(self, sandbox):
        found = {}
        for kind in ("Base", "Blast", "Triggered", "Workflow"):
            for medium in ("Email", "Push", "InApp", "SMS"):
                rows = self.pages(
                    sandbox, "/api/templates", "templates", templateType=kind, messageMedium=medium, pageSize=50
                )
                found |= {each["templateId"]: medium for each in rows}
        campaigns = self.pages(sandbox, "/api/campaigns", "campaigns", pageSize=1000)
        assert {
            each["templateId"] for each in campaigns if each["messageMedium"] in ("Email", "Push", "InApp", "SMS")
        } == set(found)
        assert len(get(sandbox, "/api/templates", pageSize=1000).json()["templates"]) < len(found)

    def test_journeys_hide_the_archived(self, sandbox):
        usual = self.pages(sandbox, "/api/journeys", "journeys", pageSize=3)
        archived = self.pages(sandbox, "/api/journeys", "journeys", state="Archived")
        assert (
            not any(each["isArchived"] for each in usual) and archived and all(each["isArchived"] for each in archived)
        )

    def test_lists_their_members_and_sizes(self, sandbox):
        for each in get(sandbox, "/api/lists").json()["lists"][:3]:
            members = get(sandbox, "/api/lists/getUsers", listId=each["id"])
            assert members.headers["content-type"].startswith("text/plain")
            assert get(sandbox, f"/api/lists/{each['id']}/size").text == str(len(members.text.splitlines()))

    def test_a_deleted_list_is_an_error_that_says_success(self, sandbox):
        answer = get(sandbox, "/api/lists/getUsers", listId=999)
        assert answer.status_code == 400 and answer.json()["code"] == "Success"

    def test_campaign_metrics_depend_on_the_media_asked_for(self, sandbox):
        campaigns = self.pages(sandbox, "/api/campaigns", "campaigns", pageSize=1000)
        mixed = [
            next(each["id"] for each in campaigns if each["messageMedium"] == medium) for medium in ("Email", "SMS")
        ]
        answer = get(sandbox, "/api/campaigns/metrics", campaignId=mixed, startDateTime="1970-01-01")
        email, sms = csv.DictReader(io.StringIO(answer.text))
        assert email["Total SMS Sent"] == "" and email["Total Email Sends"] != "" == sms["Total Email Sends"]
        long = get(sandbox, "/api/campaigns/metrics", campaignId=[each["id"] for each in campaigns] * 3)
        assert long.status_code == 414

    def test_an_unknown_path_is_html(self, sandbox):
        answer = get(sandbox, "/api/nope")
        assert answer.status_code == 404 and "Action not found" in answer.text


class TestUsers:
    def test_by_email_and_by_user_id(self, sandbox):
        user = next(
            each
            for each in sandbox.world.all_records("user")
            if each.get("email") and each.get("userId", "").startswith("u-")
        )
        email = user["email"].strip().lower()
        known = sandbox.world.find_user(email)
        by_email = get(sandbox, "/api/users/getByEmail", email=email).json()["user"]
        by_id = get(sandbox, "/api/users/byUserId", userId=known["userId"]).json()["user"]
        assert by_email == by_id and "itblInternal.emailDomain" not in by_email["dataFields"]
        assert by_email["dataFields"]["itblInternal"]["emailDomain"] == email.partition("@")[2]

    def test_an_address_with_a_slash_needs_the_query_or_an_encoded_path(self, sandbox):
        email = next(each["email"] for each in sandbox.world.all_records("user") if "/" in (each.get("email") or ""))
        for answer in (
            get(sandbox, "/api/users/getByEmail", email=email),
            get(sandbox, "/api/users/" + requests.utils.quote(email, safe="")),
        ):
            assert answer.json()["user"]["email"].strip().lower() == email.strip().lower()

    def test_a_missing_user(self, sandbox):
        assert get(sandbox, "/api/users/nobody@example.com").json() == {}
        assert get(sandbox, "/api/users/byUserId/nobody").status_code == 400

    def test_fields_cover_every_key_of_every_user(self, sandbox):
        fields = get(sandbox, "/api/users/getFields").json()["fields"]
        assert {
            key for each in sandbox.world.all_records("user") for key, value in each.items() if value is not None
        } == set(fields)

    def test_the_latest_events_of_one_person(self, sandbox):
        email = Counter(
            each["email"] for each in sandbox.world.all_records("customEvent") if each.get("email")
        ).most_common(1)[0][0]
        events = get(sandbox, "/api/events/" + requests.utils.quote(email, safe=""), limit=5).json()["events"]
        assert len(events) == 5 and events == sorted(events, key=lambda each: each["createdAt"], reverse=True)
        assert get(sandbox, "/api/events/a@example.com", limit=201).status_code == 400

    def test_forgotten_users_are_hashes(self, sandbox):
        hashes = get(sandbox, "/api/users/forgotten").json()["hashedEmails"]
        assert hashes and all(len(each) == 64 for each in hashes)
        assert get(sandbox, "/api/users/forgottenUserIds").status_code == 400


def test_a_stopped_clock_can_be_moved():
    with running_sandbox(users=300, start=utc("2026-10-31"), end=utc("2026-11-02"), relaxed=True) as sandbox:
        asked = {"dataTypeName": "inAppDelivery", "startDateTime": "2026-11-01", "endDateTime": "2026-11-02"}
        first = lines(get(sandbox, "/api/export/data.json", **asked))
        sandbox.world.stop_clock(utc("2026-11-02") + timedelta(days=5))
        second = lines(get(sandbox, "/api/export/data.json", **asked))
        assert len(second) > len(first) and not Counter(first) - Counter(second)


def test_in_the_foreground_it_says_where_it_is_and_stops_when_interrupted():
    program = "from iterable_pipelines.sandbox import run_sandbox; run_sandbox(port=0, users=10, relaxed=True)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        said = [process.stdout.readline() for _ in range(3)]
        url = said[0].split(" at ")[1].split()[0]
        answer = requests.get(url + "/api/channels", headers={"Api-Key": "sandbox"}, timeout=30)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
    assert answer.ok and url.startswith("http://127.0.0.1:") and "relaxed" in said[2]
