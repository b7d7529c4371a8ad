"""Export jobs: queued, run four at a time, delivered as files of whole lines behind URLs that expire."""

import time
from collections import Counter

import pytest
import requests

from iterable_pipelines.hours import Window
from iterable_pipelines.sandbox import running_sandbox
from iterable_pipelines.sandbox.jobs import JobBoard
from iterable_pipelines.sandbox.world import World, utc

DAY = Window(utc("2026-11-01"), utc("2026-11-02"))
START = {
    "dataTypeName": "emailSend",
    "outputFormat": "application/x-json-stream",
    "startDateTime": "2026-11-01 00:00:00",
    "endDateTime": "2026-11-02 00:00:00",
}


class Client:
    """Talks to the sandbox as a patient client does: one call a second to the jobs."""

    def __init__(self, sandbox):
        self.sandbox, self.headers = sandbox, {"Api-Key": sandbox.key}

    def call(self, method, path, **more):
        while True:
            answer = requests.request(method, self.sandbox.url + path, headers=self.headers, timeout=30, **more)
            if answer.status_code != 429:
                return answer
            time.sleep(0.05)

    def start(self, **changes):
        return self.call("POST", "/api/export/start", json=START | changes).json()["jobId"]

    def page(self, job, after=""):
        return self.call("GET", f"/api/export/{job}/files", params={"startAfter": after}).json()

    def wait(self, job, state="completed"):
        for _ in range(30):
            if (page := self.page(job))["jobState"] == state:
                return page
        raise AssertionError(f"job {job} is {page['jobState']}, not {state}")


@pytest.fixture(scope="module")
def sandbox():
    options = {"job_seconds": 0.3, "file_bytes": 20_000, "url_seconds": 600}
    with running_sandbox(start=utc("2026-10-31"), end=utc("2026-11-02"), **options) as running:
        yield running


@pytest.fixture
def client(sandbox):
    return Client(sandbox)


def test_the_files_together_are_the_export(client):
    job = client.start()
    client.wait(job)
    files, page = [], client.page(job)
    assert len(page["files"]) == 10
    while page["files"]:
        files += page["files"]
        page = client.page(job, files[-1]["file"])
    bodies = [requests.get(each["url"], timeout=30) for each in files]
    assert all(each.ok and each.content.endswith(b"\n") and len(each.content) <= 20_100 for each in bodies)
    lines = [line for each in bodies for line in each.content.split(b"\n")[:-1]]
    assert Counter(lines) == Counter(client.sandbox.world.records("emailSend", DAY))
    assert len({each["file"] for each in files}) == len(files) > 10


def test_csv(client):
    job = client.start(outputFormat="text/csv", onlyFields="createdAt,email", dataTypeName="rcsSend")
    page = client.wait(job)
    text = requests.get(page["files"][0]["url"], timeout=30).text
    assert set(text.splitlines()[0].split(",")) == {"createdAt", "email"}


def test_a_url_needs_no_key_but_its_signature(client):
    page = client.wait(client.start(dataTypeName="rcsSend"))
    url = page["files"][0]["url"]
    assert requests.get(url, timeout=30).ok
    assert requests.get(url[:-1] + ("0" if url[-1] != "0" else "1"), timeout=30).status_code == 403


def test_an_expired_url_is_refreshed_by_listing_again(client):
    client.sandbox.fault("job_expire", path="/api/export/start")
    job = client.start(dataTypeName="rcsSend")
    time.sleep(0.4)
    first, second = client.page(job), client.page(job)
    expired = requests.get(first["files"][0]["url"], timeout=30)
    assert (expired.status_code, expired.text) == (403, "Request has expired")
    assert requests.get(second["files"][0]["url"], timeout=30).ok


def test_a_job_may_go_back_to_the_queue_and_fail_or_be_cut_off(client):
    seen = {}
    for kind in ("job_requeue", "job_fail", "job_truncate"):
        client.sandbox.fault(kind, path="/api/export/start")
        seen[kind] = client.start(dataTypeName="rcsSend")
    assert client.wait(seen["job_requeue"])["jobState"] == "completed"
    assert client.wait(seen["job_fail"], "failed")["files"] == []
    assert client.wait(seen["job_truncate"])["exportTruncated"] is True


@pytest.mark.parametrize("kind", ["job_repeat_page", "job_endless_pages", "job_change_file"])
def test_a_page_may_come_again(client, kind):
    client.sandbox.fault(kind, path="/api/export/start")
    job = client.start()
    time.sleep(0.4)
    first = client.page(job)
    before = requests.get(first["files"][0]["url"], timeout=30).content
    second, third = (client.page(job, first["files"][-1]["file"]) for _ in range(2))
    names = [[each["file"] for each in page["files"]] for page in (first, second, third)]
    assert names[0] == names[1]
    assert (names[1] == names[2]) == (kind == "job_endless_pages")
    after = requests.get(second["files"][0]["url"], timeout=30).content
    assert (after != before) == (kind == "job_change_file")


def test_cancel_and_list(client):
    client.sandbox.fault("job_stuck", path="/api/export/start")
    job = client.start(dataTypeName="rcsSend")
    assert client.page(job)["jobState"] == "enqueued"
    assert client.call("DELETE", f"/api/export/{job}").json()["code"] == "Success"
    jobs = client.call("GET", "/api/export/jobs", params={"jobState": "cancelled"}).json()["jobs"]
    assert [each["id"] for each in jobs] == [job]
    assert client.call("DELETE", f"/api/export/{job}").status_code == 400
    assert client.call("DELETE", "/api/export/1").status_code == 404


@pytest.mark.parametrize(
    "body", [{}, {"dataTypeName": "nope"}, START | {"startDateTime": "yesterday"}, START | {"outputFormat": "xml"}]
)
def test_a_wrong_start_is_a_400(client, body):
    assert client.call("POST", "/api/export/start", json=body).status_code == 400


def test_four_run_at_once_and_the_rest_wait():
    board = JobBoard(World(users=5, start=utc("2026-11-01"), end=utc("2026-11-02")), seconds=3600)
    jobs = [board.start("rcsSend", [], False, None) for _ in range(6)]
    assert [each.state for each in jobs] == ["running"] * 4 + ["enqueued"] * 2
    jobs[0].state = "cancelled"
    board.advance()
    assert [each.state for each in jobs] == ["cancelled"] + ["running"] * 4 + ["enqueued"]


def test_a_requeued_job_really_passes_through_the_queue():
    board = JobBoard(World(users=5, start=utc("2026-11-01"), end=utc("2026-11-02")), seconds=0)
    jobs = [board.start("rcsSend", [], False, kind) for kind in ("job_requeue", None)]
    for job in jobs:
        job.writing.result()
    for _ in range(3):
        board.advance()
    assert jobs[0].restarted and {each.state for each in jobs} == {"completed"}
