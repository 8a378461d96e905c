"""What an MTLSIssuer says that leaves access to the TLS handshake: all that this leaves open."""

from pathlib import Path

import pytest

from doorward.api.conditions import MAX_MESSAGE, said

PAGE = (Path(__file__).parents[3] / "docs" / "gate-service.md").read_text()


@pytest.mark.parametrize(
    ("in_message", "in_page"),
    [
        ("until ingress-nginx has loaded the CRL", "after nginx has loaded the CRL"),
        ("a TLS session that it resumes", "resume its TLS session"),
        ("one request on a connection that it opened before", "one more request answered"),
        ("a response or WebSocket that is under way", "A response or WebSocket that has begun"),
        ("clients of other hosts may have access without SNI", "may have access if it sends no SNI"),
        ("sign with a CA that is shared with others", "others have the key of your CA"),
        ("access lists (doorward.io/allow) are not enforced", "Access lists are not enforced"),
    ],
)
def test_status_and_page_list_what_the_handshake_alone_leaves_open(in_message, in_page):
    message = said("HandshakeOnly").message
    assert in_message in message
    assert len(message) < MAX_MESSAGE
    section = PAGE.partition("## Without the gate service: mode Handshake")[2].partition("\n## ")[0]
    assert in_page in section
