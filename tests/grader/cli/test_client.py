"""The client gets through outages, sends once what counts once, and says whose fault it was."""

import hashlib
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from grader import ApiError, AuthError, Client, NetworkError, Owner
from grader.cli.terminal import views
from grader.client.replies import SubmissionReport

TOKEN = "gw_token"


@pytest.fixture
def client(server):
    with Client(server.url, TOKEN, attempts=4) as client:
        yield client


def keys_of(server):
    return [
        headers["Idempotency-Key"]
        for method, _, _, headers, _ in server.requests
        if method == "POST"
    ]


def test_signing_in_gives_a_token_that_later_requests_carry(server):
    with Client(server.url) as client:
        assert client.login("mei@example.edu", "correct horse") == TOKEN
        assert client.me().email == "mei@example.edu"


def test_a_wrong_password_is_an_auth_error_in_the_servers_words(server):
    with Client(server.url) as client, pytest.raises(AuthError, match="password is wrong"):
        client.login("mei@example.edu", "wrong")


def test_a_missing_token_is_an_auth_error(server):
    with Client(server.url) as client, pytest.raises(AuthError):
        client.me()


def test_a_submission_is_streamed_with_progress_and_comes_back_with_a_matching_receipt(
    client, tmp_path
):
    path = tmp_path / "predictions.csv"
    path.write_bytes(b"id,label\n" + b"7,1\n" * 200_000)
    seen = []

    report = client.send(
        path, assignment="shapes", message="first", on_progress=lambda *step: seen.append(step)
    )

    assert report.receipt.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert report.message == "first"
    assert len(seen) > 3
    assert seen == sorted(seen)
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)


@pytest.mark.parametrize("fault", [(503, {"Retry-After": "2"}), (502, {}), "cut", "drop"])
def test_an_outage_is_retried_under_the_same_key_and_counts_once(
    client, server, tmp_path, pauses, fault
):
    path = tmp_path / "predictions.csv"
    path.write_text("id,label\n")
    course = client.course_of("shapes")
    server.faults.extend([fault, fault])

    report = client.send(path, assignment="shapes", course=course)

    assert len(set(keys_of(server))) == 1
    assert len(keys_of(server)) == 3
    assert list(server.submissions) == [report.id]
    assert len(pauses) == 2
    if fault == (503, {"Retry-After": "2"}):
        assert pauses == [2.0, 2.0]


def test_two_submissions_have_two_keys(client, server, tmp_path):
    path = tmp_path / "predictions.csv"
    path.write_text("id,label\n")

    client.send(path, assignment="shapes")
    client.send(path, assignment="shapes")

    assert len(set(keys_of(server))) == 2


def test_giving_the_key_again_gives_the_same_submission(client, tmp_path):
    path = tmp_path / "predictions.csv"
    path.write_text("id,label\n")

    first = client.send(path, assignment="shapes", idempotency_key="k1")
    again = client.send(path, assignment="shapes", idempotency_key="k1")

    assert first.id == again.id


def test_a_server_that_stays_away_is_a_network_error_after_the_last_attempt(client, server, pauses):
    server.faults.extend([(503, {"Retry-After": "1"})] * 9)

    with pytest.raises(NetworkError, match="503"):
        client.me()
    assert len(pauses) == 3


def test_a_wait_longer_than_anyone_watches_is_not_waited_for(client, server, pauses):
    server.faults.append((429, {"Retry-After": "40000"}))

    with pytest.raises(ApiError):
        client.me()
    assert pauses == []


def test_signing_in_is_not_repeated_by_itself(server, pauses):
    server.faults.append((503, {"Retry-After": "1"}))

    with Client(server.url) as client, pytest.raises(NetworkError):
        client.login("mei@example.edu", "correct horse")
    assert len(server.requests) == 1


def test_nobody_listening_is_a_network_error_that_names_the_server(pauses):
    with Client("http://127.0.0.1:9", TOKEN) as client, pytest.raises(NetworkError, match=":9"):
        client.me()


@pytest.mark.parametrize("address", ["ftp://127.0.0.1", "http://[::", "grader"])
def test_something_that_is_no_address_is_a_network_error(address):
    with Client(address, TOKEN) as client, pytest.raises(NetworkError, match="address"):
        client.me()


def test_what_is_not_theirs_is_an_api_error_with_code_and_owner(client):
    with pytest.raises(ApiError) as caught:
        client.submission("s_nobody")

    assert (caught.value.code, caught.value.status) == ("not_found", 404)
    assert caught.value.owner is Owner.STUDENT


def test_an_unknown_assignment_names_the_known_ones(client):
    with pytest.raises(ApiError, match="did you mean 'shapes'"):
        client.course_of("shape")


def test_a_page_that_is_no_grading_server_is_said_to_be_none(client, server):
    server.faults.append((200, {"Content-Type": "text/html"}))

    with pytest.raises(NetworkError, match="not JSON"):
        client.me()


def test_a_reply_without_its_members_is_said_to_be_unreadable(client, server):
    server.submissions["s_1"] = {"id": "s_1"}

    with pytest.raises(NetworkError, match="can't read"):
        client.submission("s_1")


def test_a_server_that_moved_is_named(client, server):
    server.faults.append((301, {"Location": "https://new.example.edu/"}))

    with pytest.raises(NetworkError, match=r"new\.example\.edu"):
        client.me()


@pytest.mark.parametrize("event_stream", [True, False])
def test_waiting_follows_events_and_polls_where_there_are_none(
    client, server, tmp_path, event_stream
):
    server.event_stream = event_stream
    path = tmp_path / "predictions.csv"
    path.write_text("id,label\n")
    submitted = client.send(path, assignment="shapes")
    seen = []

    report = client.wait(submitted.id, on_event=seen.append, poll_seconds=0.01)

    assert report.verdict == "OK"
    assert report.public["accuracy"] == 0.75
    assert seen[0].status == "queued"
    assert seen[-1].is_done


@pytest.mark.alone
def test_waiting_ends_at_its_deadline_and_says_that_the_submission_goes_on(
    client, server, tmp_path
):
    server.event_stream = False
    server.stages = ["queued"]
    path = tmp_path / "predictions.csv"
    path.write_text("id,label\n")
    submitted = client.send(path, assignment="shapes")
    start = time.monotonic()

    with pytest.raises(NetworkError, match="goes on"):
        client.wait(submitted.id, timeout_seconds=0.2, poll_seconds=0.05)
    assert time.monotonic() - start < 5


def test_a_pack_arrives_whole_or_not_at_all(client, server, tmp_path):
    server.pack = b"PK" + bytes(300_000)
    target = tmp_path / "pack.zip"

    sha256 = client.download_pack("shapes", target)

    assert target.read_bytes() == server.pack
    assert sha256 == hashlib.sha256(server.pack).hexdigest()


def test_a_pack_with_another_checksum_is_refused_and_leaves_nothing(client, server, tmp_path):
    server.pack_sha256 = "0" * 64

    with pytest.raises(NetworkError, match="promised"):
        client.download_pack("shapes", tmp_path / "pack.zip")
    assert list(tmp_path.glob("pack*")) == []


def test_a_receipt_for_other_bytes_is_an_error(client, server, tmp_path):
    path = tmp_path / "predictions.csv"
    path.write_text("id,label\n")
    client.send(path, assignment="shapes", idempotency_key="k")
    path.write_text("id,label\n1,1\n")

    with pytest.raises(NetworkError, match="receipt"):
        client.send(path, assignment="shapes", idempotency_key="k")


def test_a_folder_is_packed_on_the_way(client, server, tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "model.py").write_text("def build_model(): ...\n")

    client.send(folder, assignment="shapes")

    (submission,) = server.submissions.values()
    assert submission["filename"] == "work.zip"


@pytest.mark.parametrize("token", ["two words", "newline\n", "令牌"])
def test_a_token_that_can_be_none_is_an_auth_error(server, token):
    with Client(server.url, token) as client, pytest.raises(AuthError, match="token"):
        client.me()


def test_a_download_that_broke_off_is_gone_on_with(client, server, tmp_path):
    server.pack = bytes(range(256)) * 4000
    server.faults.append(("half", {}))
    target = tmp_path / "pack.zip"
    client.download_pack("shapes", target, course="dl-2026")
    assert target.read_bytes() == server.pack
    ranges = [headers.get("Range") for _, path, _, headers, _ in server.requests if "pack" in path]
    assert ranges == [None, f"bytes={len(server.pack) // 2}-"]  # every byte that came is kept


def test_what_an_earlier_command_left_of_another_pack_is_not_mixed_in(client, server, tmp_path):
    server.pack = bytes(range(256)) * 400
    (tmp_path / "pack.zip.part").write_bytes(b"the start of an older pack")
    client.download_pack("shapes", tmp_path / "pack.zip")
    assert (tmp_path / "pack.zip").read_bytes() == server.pack
    assert list(tmp_path.glob("*.part")) == []


def test_a_part_longer_than_the_file_is_fetched_anew(client, server, tmp_path):
    server.pack = b"PK short"
    (tmp_path / "pack.zip.part").write_bytes(bytes(1000))
    client.download_pack("shapes", tmp_path / "pack.zip")
    assert (tmp_path / "pack.zip").read_bytes() == server.pack


def test_another_kind_of_server_is_said_to_be_one(tmp_path):
    class Files(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Files) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{other.server_port}"
        with pytest.raises(NetworkError, match=rf"{address} answered 404, but not as a grading"):
            Client(address, "gw_x").me()
        other.shutdown()


def test_a_submission_that_is_asked_about_says_where_to_reply_and_a_voided_one_why(capsys):
    reply = {"id": "s_1", "status": "finished", "verdict": "OK", "course": "dl-1"}
    views.show_report(SubmissionReport.from_json(reply))
    plain = capsys.readouterr().out

    asked = {**reply, "case": 3, "voided": {"at": "2026-12-01T00:00:00+00:00", "reason": "Copied."}}
    views.show_report(SubmissionReport.from_json(asked))
    told = capsys.readouterr().out

    assert "Voided" not in plain
    assert "counts no more.\n  Copied." in told
    assert "reply at /c/dl-1/cases/3" in told
