"""Python's httpx with the PEM file. Python's ssl module reads no .p12 file."""

import base64
import ssl
import sys

import httpx


def ask(host: str, port: str, ca: str, question: list[str]) -> tuple[int, bytes]:
    """Status and body. Raises OSError or httpx.HTTPError."""
    context = ssl.create_default_context(cafile=ca)
    if question[0] == "pem":
        context.load_cert_chain(question[1])
    with httpx.Client(verify=context, trust_env=False) as client:
        # As httpx documents for a host that no DNS knows.
        answer = client.get(
            f"https://127.0.0.1:{port}/", headers={"Host": host}, extensions={"sni_hostname": host}, timeout=30
        )
        return answer.status_code, answer.content


def main() -> None:
    """Answer every line."""
    host, port, ca = sys.argv[1:]
    for line in sys.stdin:
        try:
            status, body = ask(host, port, ca, line.rstrip("\n").split("\t"))
        except (OSError, httpx.HTTPError) as error:
            status, body = 0, repr(error).encode()
        print(f"{status}\t{base64.b64encode(body).decode()}", flush=True)


if __name__ == "__main__":
    main()
