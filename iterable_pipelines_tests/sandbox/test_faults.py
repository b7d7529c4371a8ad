"""Every fault that can be scripted, as an ordinary client meets it."""

import json
from pathlib import Path

import pytest
import requests

from iterable_pipelines.sandbox import running_sandbox
from iterable_pipelines.sandbox.faults import KINDS
from iterable_pipelines.sandbox.world import utc

PATH = "/api/export/data.json"
WINDOW = {"startDateTime": "2026-11-01 03:00:00", "endDateTime": "2026-11-01 09:00:00"}


@pytest.fixture(scope="module")
def sandbox():
    with running_sandbox(start=utc("2026-10-31"), end=utc("2026-11-02"), relaxed=True) as running:
        yield running


@pytest.fixture(autouse=True)
def no_leftovers(sandbox):
    yield
    sandbox.faults.clear()


def ask(sandbox, data_type="emailSend", timeout=30, **more):
    params = {"dataTypeName": data_type} | WINDOW
    return requests.get(
        sandbox.url + PATH,
        params=params,
        headers={"Api-Key": sandbox.key},
        allow_redirects=False,
        timeout=timeout,
        **more,
    )


@pytest.fixture(scope="module")
def truth(sandbox) -> bytes:
    return ask(sandbox).content


def bad_lines(body: bytes) -> int:
    bad = 0
    for line in filter(None, body.split(b"\n")):
        try:
            json.loads(line.decode("utf-8"))
        except ValueError:
            bad += 1
    return bad


def test_a_fault_strikes_as_often_as_scripted_and_only_where_it_matches(sandbox, truth):
    sandbox.fault("status", match={"dataTypeName": "emailSend"}, times=2, status=503)
    assert ask(sandbox, "pushSend").status_code == 200
    assert [ask(sandbox).status_code for _ in range(3)] == [503, 503, 200]


def test_a_fault_may_let_requests_pass_first(sandbox):
    sandbox.fault("status", after=1, status=500)
    assert [ask(sandbox).status_code for _ in range(3)] == [200, 500, 200]


def test_a_fault_may_strike_for_ever_until_called_off(sandbox):
    sandbox.fault("empty", times=None)
    assert [ask(sandbox).content for _ in range(3)] == [b""] * 3
    assert requests.delete(sandbox.url + "/_sandbox/faults", timeout=30).status_code == 204
    assert ask(sandbox).content


def test_faults_are_scripted_over_http_too(sandbox):
    fault = {"kind": "429", "path": PATH, "match": {"dataTypeName": "emailSend"}, "times": 1, "retry_after": "abc"}
    assert requests.post(sandbox.url + "/_sandbox/faults", json=fault, timeout=30).status_code == 201
    answer = ask(sandbox)
    assert answer.status_code == 429 and answer.headers["retry-after"] == "abc"
    assert requests.post(sandbox.url + "/_sandbox/faults", json={"kind": "nope"}, timeout=30).status_code == 400
    logged = requests.get(sandbox.url + "/_sandbox/requests", params={"path": PATH}, timeout=30).json()["requests"][-1]
    assert (logged["status"], logged["fault"]) == (429, "429") and ["dataTypeName", "emailSend"] in logged["params"]


@pytest.mark.parametrize("retry_after", [None, "7", "1.5", "-5", "Wed, 21 Oct 2026 07:28:00 GMT", "999999999"])
def test_429(sandbox, retry_after):
    sandbox.fault("429", retry_after=retry_after)
    assert ask(sandbox).headers.get("retry-after") == retry_after


@pytest.mark.parametrize("shape", ["envelope", "play", "html", "text", "success"])
def test_status_in_every_shape(sandbox, shape):
    sandbox.fault("status", status=500, shape=shape)
    answer = ask(sandbox)
    assert answer.status_code == 500
    assert (answer.headers["content-type"] == "application/json") is (shape in ("envelope", "play", "success"))


@pytest.mark.parametrize("kind", ["reset", "cut", "cut_at_record", "short"])
def test_breaks_that_a_client_notices(sandbox, kind):
    sandbox.fault(kind)
    with pytest.raises(requests.exceptions.RequestException):
        ask(sandbox)
    assert ask(sandbox).status_code == 200


def test_cut_at_record_ends_at_a_newline_and_cut_does_not(sandbox, truth):
    for kind, whole in (("cut_at_record", True), ("cut", False)):
        sandbox.fault(kind)
        answer = ask(sandbox, stream=True)
        body = b""
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            for part in answer.iter_content(1 << 20):
                body += part
        assert truth.startswith(body) and body.endswith(b"\n") is whole


def test_eof_framed_is_silent(sandbox, truth):
    sandbox.fault("eof_framed", bytes=1000)
    answer = ask(sandbox)
    assert answer.content == truth[:1000]
    assert "content-length" not in answer.headers and "transfer-encoding" not in answer.headers


def test_half_record_is_silent(sandbox, truth):
    sandbox.fault("half_record")
    body = ask(sandbox).content
    assert truth.startswith(body) and not body.endswith(b"\n") and bad_lines(body) == 1


@pytest.mark.parametrize("kind", ["bad_utf8", "bad_json"])
def test_one_bad_line(sandbox, truth, kind):
    sandbox.fault(kind)
    body = ask(sandbox).content
    assert bad_lines(body) == 1 and body.count(b"\n") == truth.count(b"\n")


def test_lines_twice_lines_missing_lines_added(sandbox, truth):
    count = truth.count(b"\n")
    sandbox.fault("duplicate_lines")
    assert ask(sandbox).content.count(b"\n") == 2 * count
    sandbox.fault("drop_tail", share=0.01)
    body = ask(sandbox).content
    assert truth.startswith(body) and body.count(b"\n") == count - max(1, count // 100)
    sandbox.fault("more_lines", lines=['{"createdAt":"2026-11-01 03:00:00 +00:00"}'])
    assert ask(sandbox).content.count(b"\n") == count + 1
    sandbox.fault("error_line")
    assert b"GenericError" in ask(sandbox).content.splitlines()[-1]
    sandbox.fault("no_last_newline")
    assert ask(sandbox).content == truth[:-1]
    sandbox.fault("blank_lines")
    body = ask(sandbox).content
    assert body.startswith(b"\xef\xbb\xbf") and b"\r\n\r\n" in body


def test_a_page_of_html_and_an_error_with_200(sandbox):
    sandbox.fault("html200")
    answer = ask(sandbox)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html")
    sandbox.fault("error200")
    assert ask(sandbox).json()["code"] == "GenericError"


def test_redirect(sandbox):
    sandbox.fault("redirect", location="http://127.0.0.1:9/elsewhere")
    answer = ask(sandbox)
    assert answer.status_code == 302 and answer.headers["location"] == "http://127.0.0.1:9/elsewhere"


def test_truncated_gzip_gives_fewer_bytes_and_no_error(sandbox, truth):
    sandbox.fault("truncated_gzip", bytes=-2000)
    body = ask(sandbox).content
    assert truth.startswith(body) and 0 < len(body) < len(truth)


def test_gzip_bomb(sandbox):
    sandbox.fault("gzip_bomb", megabytes=8)
    answer = ask(sandbox, stream=True)
    assert len(answer.raw.read(decode_content=False)) < 1 << 20


def test_drip_comes_slowly_but_whole(sandbox, truth):
    sandbox.fault("drip", bytes=len(truth) // 3, pause=0.01)
    assert ask(sandbox).content == truth


@pytest.mark.parametrize("kind", ["stall", "hang"])
def test_silence(sandbox, kind):
    sandbox.fault(kind)
    with pytest.raises(requests.exceptions.RequestException):
        ask(sandbox, timeout=0.3)


def test_the_log_orders_requests_by_two_clocks(sandbox):
    ask(sandbox)
    ask(sandbox)
    first, second = sandbox.requests(PATH)[-2:]
    assert first.monotonic < second.monotonic and first.wall <= second.wall and first.key == second.key != sandbox.key


def listed(sandbox, **params):
    answer = requests.get(
        sandbox.url + "/api/campaigns", params=params, headers={"Api-Key": sandbox.key}, timeout=30
    ).json()
    return [each["id"] for each in answer["campaigns"]], answer["totalCampaignsCount"]


def test_rows_move_between_pages_when_others_leave_and_come():
    with running_sandbox(start=utc("2026-10-31"), end=utc("2026-11-02")) as sandbox:
        everything, total = listed(sandbox, pageSize=1000)
        sandbox.fault("row_leaves", "/api/campaigns", after=1)
        pages = [listed(sandbox, page=number, pageSize=10)[0] for number in (1, 2)]
        # the eleventh has moved to the first page, which was read before
        assert pages == [everything[:10], everything[11:21]]
        assert listed(sandbox, pageSize=1000) == (everything[1:], total - 1)
        sandbox.fault("row_comes", "/api/campaigns", after=1, rows=2)
        pages = [listed(sandbox, page=number, pageSize=10)[0] for number in (1, 2)]
        assert pages == [everything[1:11], everything[9:19]]
        now, after = listed(sandbox, pageSize=1000)
        assert (now[2:], after) == (everything[1:], total + 1)
        assert listed(sandbox, pageSize=1000, campaignState="Running")[1] < total


def test_answers_in_the_shapes_of_other_versions():
    headers = {"Api-Key": "sandbox"}
    with running_sandbox(start=utc("2026-10-31"), end=utc("2026-11-02")) as sandbox:

        def both(kind, path, **params):
            usual = requests.get(sandbox.url + path, params=params, headers=headers, timeout=30)
            sandbox.fault(kind, path)
            return usual, requests.get(sandbox.url + path, params=params, headers=headers, timeout=30).json()

        usual, other = both("unwrapped", "/api/catalogs/products/items")
        assert other == usual.json()["params"]
        usual, other = both("total_count", "/api/experiments")
        assert other == {"experiments": usual.json()["experiments"], "totalCount": usual.json()["pagination"]["total"]}
        usual, other = both("headers_rows", "/api/experiments/metrics", campaignId=2200008)
        assert [other["headers"], *other["rows"]] == usual.text.splitlines()


def test_every_kind_is_tested():
    names = ("test_faults.py", "test_jobs.py", "test_write_faults.py")
    here = "".join(Path(__file__).with_name(name).read_text() for name in names)
    assert {kind for kind in KINDS if f'"{kind}"' not in here} == set()
