"""`make up`: a cluster with ingress-nginx and Doorward that stays; says where it is, and what to type next."""

import shlex

from tests.support import installation
from tests.testbed import background

NEXT = """\
export KUBECONFIG={kubeconfig}
alias kubectl={kubectl} doorward={doorward}
{consent}
kubectl apply -f examples/issuer-minimal.yaml -f examples/client.yaml -f examples/ingress.yaml
kubectl -n edge wait --for=condition=Ready mtlsissuer/partners clientcertificate/alice
for file in crt key; do kubectl -n edge get secret alice-mtls -o jsonpath="{{.data.tls\\.$file}}" | base64 -d > alice.$file; done
alias door='curl -sSk --connect-to ::{address}:{port} https://app.example.com/'
door
door --cert alice.crt --key alice.key
kubectl -n edge patch clientcertificate alice --type=merge -p '{{"spec":{{"revoked":true}}}}'
kubectl -n edge wait --for=condition=Admitted=False clientcertificate/alice
door --cert alice.crt --key alice.key
"""


def main() -> None:
    """Start it, or find what runs already."""
    state = background.up(companions=["tests.support.installation:with_application"])
    print(f"kubeconfig  {state.kubeconfig}")
    print(f"https       {state.address}:{state.https_port}")
    print(f"http        {state.address}:{state.http_port}")
    print(f"logs        {state.run_dir}")
    print(
        "\nA Service `app` runs in namespace `edge`. Next, for instance; ingress-nginx follows each change within 4 seconds,"
    )
    print("and `make down` ends it all:\n")
    print(
        NEXT.format(
            kubeconfig=shlex.quote(state.kubeconfig),
            kubectl=shlex.quote(state.kubectl),
            doorward=shlex.quote(str(installation.DOORWARD)),
            consent=installation.CONSENT.format(namespace="edge"),
            address=state.address,
            port=state.https_port,
        )
    )


if __name__ == "__main__":
    main()
