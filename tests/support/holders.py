"""Somebody who may issue from one MTLSIssuer, with `edit` in a namespace of their own and no other right."""

from tests.support.home import Home
from tests.support.kube import CERTIFICATES, ISSUERS, ROLES, Answer, Object, Person, bind, eventually


def holder_of_issue(issuers: Home, own: Home, issuer: str = "partners") -> Person:
    """An account that may issue from the issuer, and edit what is in its own namespace."""
    person = own.admin.alias(f"mallory.{own.namespace}")
    bind(own.admin, own.namespace, person.name, "edit")
    rule = {"apiGroups": ["doorward.io"], "resources": ["mtlsissuers"], "resourceNames": [issuer], "verbs": ["issue"]}
    role = {"metadata": {"namespace": issuers.namespace, "name": f"issue-{own.namespace}"}, "rules": [rule]}
    assert own.admin.create(ROLES, role).ok
    bind(own.admin, issuers.namespace, person.name, f"issue-{own.namespace}", kind="Role")
    eventually(lambda: person.may("create", CERTIFICATES, own.namespace), "edit is bound")
    eventually(lambda: person.may("issue", ISSUERS, issuers.namespace, name=issuer), "the grant is seen")
    return person


def tries(person: Person, own: Home, body: Object) -> Answer:
    """What the API server answers as soon as it knows the account's rights: its policies learn of them a moment later."""

    def answer() -> Answer | None:
        said = person.create(CERTIFICATES, own.here(body))
        return None if said.status == 403 and "verb=issue" in said.message else said

    found = eventually(answer, "the policies know the grant")
    assert isinstance(found, Answer)
    return found
