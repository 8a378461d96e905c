"""A reload that failed over a file that was being written is found, once; one that failed over a bad file is not."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.testbed.half_written import Reloads

FILE = "/etc/ingress-controller/ssl/ca-edge-doorward.edge.partners.pem"
LINE = f"""2026/11/27 16:26:48 [emerg] 25#25: SSL_CTX_load_verify_locations("{FILE}") failed (SSL: error:05800088:x509 certificate \
routines::no certificate or crl found)
"""
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


@pytest.fixture
def root(tmp_path):
    """A root folder, as nginx has it."""
    (tmp_path / "tmp/nginx").mkdir(parents=True)
    (tmp_path / "tmp/nginx/nginx.pid").write_text("25\n")
    (tmp_path / FILE[1:]).parent.mkdir(parents=True)
    (tmp_path / FILE[1:]).write_text(PEM)
    return tmp_path


def reloads_of(root):
    return Reloads(root, root / "controller.log")


def log(root, line):
    with (root / "controller.log").open("a") as file:
        file.write(line)


def test_nothing_failed_before_nginx_says_anything(root):
    assert reloads_of(root).failed() == set()


def test_a_reload_that_failed_is_named_once(root):
    reloads = reloads_of(root)
    log(root, "2026/11/27 16:26:47 [notice] 25#25: reconfiguring\n" + LINE)
    assert reloads.failed() == {"ca-edge-doorward.edge.partners.pem"}
    assert reloads.failed() == set()
    log(root, LINE)
    assert reloads.failed() == {"ca-edge-doorward.edge.partners.pem"}


@pytest.mark.parametrize("bad", ["", "\x30\x82", PEM[:40], PEM + PEM[:40]], ids=["empty", "no PEM", "cut", "cut later"])
def test_a_file_that_is_bad_still_is_not_named(root, bad):
    (root / FILE[1:]).write_text(bad)
    log(root, LINE)
    assert reloads_of(root).failed() == set()


def test_a_file_that_is_whole_a_moment_later_is_named_then_and_once(root):
    reloads = reloads_of(root)
    (root / FILE[1:]).write_text(PEM[:40])
    log(root, LINE)
    assert reloads.failed() == set()
    (root / FILE[1:]).write_text(PEM)
    assert reloads.failed() == {"ca-edge-doorward.edge.partners.pem"}
    assert reloads.failed() == set()


def test_of_many_who_ask_at_once_one_is_told_and_no_line_is_lost(root):
    reloads = reloads_of(root)
    with ThreadPoolExecutor(8) as pool:
        for _ in range(200):
            log(root, LINE)
            told = [file for found in pool.map(lambda _: reloads.failed(), range(8)) for file in found]
            assert told == ["ca-edge-doorward.edge.partners.pem"]


def test_a_file_that_went_is_not_named(root):
    (root / FILE[1:]).unlink()
    log(root, LINE)
    assert reloads_of(root).failed() == set()


def test_a_configuration_that_was_only_tested_is_not_named(root):
    log(root, LINE.replace("25#25", "1616#1616"))
    assert reloads_of(root).failed() == set()


def test_half_a_line_is_read_when_it_is_whole(root):
    reloads = reloads_of(root)
    log(root, "I1127 16:26:47 reloading\n" + LINE[:60])
    assert reloads.failed() == set()
    log(root, LINE[60:])
    assert reloads.failed() == {"ca-edge-doorward.edge.partners.pem"}
