"""Templates as clients write them and read them again (api.md 5.5, 6.5; outbound 4.1)."""

from datetime import timedelta

import pytest
import requests

from iterable_pipelines_tests.sandbox.project import NOW, project

MEDIUMS = {
    "email": ("Email", {"subject": "Hi", "html": "<p>Hi</p>", "ccEmails": ["cc@example.com"]}),
    "push": ("Push", {"title": "Hi", "message": "There", "payload": {"a": "2"}}),
    "sms": ("SMS", {"message": "Hi"}),
    "inapp": ("InApp", {"html": "<p>Hi</p>", "inboxMetadata": {"title": "Hi"}}),
    "embedded": ("Embedded", {"title": "Hi", "body": "There", "placementId": 7}),
}
MILLIS = int(NOW.timestamp() * 1000)


@pytest.fixture
def running():
    with project() as found:
        yield found


def ids(running, client_id):
    found = running.get("templates/getByClientTemplateId", clientTemplateId=client_id).json()["templates"]
    return [each["templateId"] for each in found]


def rows(running, medium, kind="Base"):
    found = running.get("templates", messageMedium=medium, templateType=kind, pageSize=1000).json()["templates"]
    return {each["templateId"]: each for each in found}


@pytest.mark.parametrize("path", MEDIUMS)
def test_a_template_of_each_medium_is_made_changed_and_read(running, path):
    medium, fields = MEDIUMS[path]
    assert running.post(f"templates/{path}/upsert", clientTemplateId="c-1", name="One", **fields).status_code == 200
    (made,) = ids(running, "c-1")
    found = running.get(f"templates/{path}/get", templateId=made).json()
    assert fields.items() <= found.items()
    assert (found["templateId"], found["name"], found["clientTemplateId"]) == (made, "One", "c-1")
    key = next(iter(fields))
    assert running.post(f"templates/{path}/update", templateId=made, **{key: "Changed"}).status_code == 200
    changed = running.get(f"templates/{path}/get", templateId=made).json()
    times = ("updatedAt", "metadata")
    assert {name: value for name, value in changed.items() if name not in times} == {
        name: value for name, value in (found | {key: "Changed"}).items() if name not in times
    }
    running.post(f"templates/{path}/upsert", clientTemplateId="c-1", name="Two")
    assert ids(running, "c-1") == [made]
    assert running.get(f"templates/{path}/get", templateId=made).json()["name"] == "Two"
    if path != "embedded":
        listed = rows(running, medium)[made]
        assert (listed["name"], listed["clientTemplateId"], listed["createdAt"]) == ("Two", "c-1", MILLIS)
        assert listed["updatedAt"] == MILLIS + 2  # each write moves it, also when the clock stands still


def test_templates_that_share_an_id_are_all_updated(running):
    client_id = "client-3000000"
    (seeded,) = ids(running, client_id)
    running.post("templates/email/upsert", clientTemplateId="c-1", subject="Mine")
    (mine,) = ids(running, "c-1")
    running.post("templates/email/update", templateId=mine, clientTemplateId=client_id)
    assert ids(running, client_id) == [seeded, mine] and ids(running, "c-1") == []
    running.post("templates/email/upsert", clientTemplateId=client_id, subject="Both")
    read = [running.get("templates/email/get", templateId=each).json() for each in (seeded, mine)]
    assert [each["subject"] for each in read] == ["Both", "Both"] and read[0]["html"].startswith("<html>")
    assert read[0]["metadata"]["campaignId"] == 2200000


def test_a_seeded_template_edited_in_the_ui_moves_and_keeps_the_rest(running):
    before, listed = running.get("templates/email/get", templateId=3000000).json(), rows(running, "Email", "Blast")
    running.sandbox.edit_template(3000000, subject="By hand")
    after, now = running.get("templates/email/get", templateId=3000000).json(), rows(running, "Email", "Blast")
    assert after | {"metadata": 0} == before | {"subject": "By hand", "metadata": 0}
    assert now[3000000] == listed[3000000] | {"updatedAt": MILLIS, "clientTemplateId": "client-3000000"}
    assert after["metadata"] == now[3000000] and {**now, 3000000: 0} == {**listed, 3000000: 0}
    running.world.stop_clock(NOW + timedelta(hours=1))
    running.sandbox.edit_template(3000000, name="Renamed")
    assert rows(running, "Email", "Blast")[3000000]["updatedAt"] == MILLIS + 3_600_000
    running.sandbox.remove_template(3000000)
    assert running.get("templates/email/get", templateId=3000000).status_code == 404
    assert 3000000 not in rows(running, "Email", "Blast") and ids(running, "client-3000000") == []
    with pytest.raises(KeyError):
        running.sandbox.edit_template(3000000, name="Gone")


@pytest.mark.parametrize(
    "fields",
    [
        {"messageTypeId": 1},
        {"messageTypeId": 47252 + 2},  # of another medium
        {"fromEmail": "stranger@example.com"},
        {"creatorUserId": "stranger@example.com"},
        {"subject": 7},
        {"clientTemplateId": None},
    ],
)
def test_what_this_project_has_not_got_is_refused(running, fields):
    answer = running.post("templates/email/upsert", **({"clientTemplateId": "c-1"} | fields))
    assert answer.status_code == 400 and ids(running, "c-1") == []
    assert running.post("templates/email/update", templateId=1, subject="x").status_code == 400
    assert running.post("templates/push/update", templateId=3000000, title="x").status_code == 400


def test_senders_of_the_project():
    with project(senders=("me@example.com",)) as running:
        body = {"clientTemplateId": "c-1", "fromEmail": "me@example.com"}
        assert running.post("templates/email/upsert", **body).status_code == 200


def test_locales_have_content_of_their_own(running):
    running.post("templates/sms/upsert", clientTemplateId="c-1", message="Hi")
    running.post("templates/sms/upsert", clientTemplateId="c-1", message="Hallo", locale="de")
    (found,) = running.get("templates/getByClientTemplateId", clientTemplateId="c-1").json()["templates"]
    assert found["locales"] == ["de"]
    read = [running.get("templates/sms/get", templateId=found["templateId"], locale=each) for each in ("", "de", "fr")]
    assert [each.json().get("message") for each in read] == ["Hi", "Hallo", None] and read[2].status_code == 404


def test_only_base_templates_are_deleted(running):
    running.post("templates/sms/upsert", clientTemplateId="c-1")
    (made,) = ids(running, "c-1")
    answer = running.post("templates/bulkDelete", ids=[made, 3000000, 1]).json()
    assert answer["success"] == [made] and answer["failed"] == [3000000, 1] and answer["failureReason"]
    assert ids(running, "c-1") == [] and rows(running, "SMS") == {}


def test_faults_about_writes(running):
    path = "/api/templates/sms/upsert"
    running.sandbox.fault("lie", path, share=1)
    assert running.post("templates/sms/upsert", clientTemplateId="lied").status_code == 200
    running.sandbox.fault("status", path, status=500)
    assert running.post("templates/sms/upsert", clientTemplateId="before").status_code == 500
    running.sandbox.fault("status_after", path, status=500)
    assert running.post("templates/sms/upsert", clientTemplateId="after").status_code == 500
    running.sandbox.fault("lost_answer", path)
    with pytest.raises(requests.ConnectionError):
        running.post("templates/sms/upsert", clientTemplateId="lost")
    assert {each["clientTemplateId"] for each in rows(running, "SMS").values()} == {"after", "lost"}
    assert [each.name for each in running.sandbox.dropped] == ["lied"]
