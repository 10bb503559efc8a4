"""The parts of JSON that tell permissions on Confluence Server and Data Center."""

from pydantic import RootModel

from ingest.sources.datacenter_json import PersonJson
from ingest.sources.http import WireModel

ACTIVE = ("active", "current")


class OperationJson(WireModel):
    """What may be done to what."""

    operation_key: str
    target_type: str

    @property
    def pair(self) -> tuple[str, str]:
        """Both words, such as `read` and `space`."""
        return self.operation_key, self.target_type


class SubjectJson(WireModel):
    """Who may do it: a group has a name and a user a key."""

    type: str = ""
    name: str | None = None
    user_key: str | None = None


class GrantJson(WireModel):
    """A permission."""

    operation: OperationJson
    subject: SubjectJson | None = None


class GrantsJson(RootModel[list[GrantJson]]):
    """All permissions."""


class OperationsJson(WireModel):
    """What visitors without login may do, as some versions tell it."""

    operations: list[OperationJson]


class AnonymousJson(RootModel[list[GrantJson] | OperationsJson]):
    """What visitors without login may do."""

    @property
    def operations(self) -> list[OperationJson]:
        """The same in one shape."""
        if isinstance(self.root, OperationsJson):
            return self.root.operations
        return [grant.operation for grant in self.root]


class RemotePermissionJson(WireModel):
    """To whom the Remote API says that something is granted; neither name: to everybody."""

    user_name: str | None
    group_name: str | None


class PermissionSetJson(WireModel):
    """A permission of that API and all to whom it is granted."""

    type: str
    space_permissions: list[RemotePermissionJson]


class RemoteErrorJson(WireModel):
    """Why it gives nothing."""

    message: str = ""


class RemoteAnswerJson(WireModel):
    """An answer of the Remote API."""

    result: list[PermissionSetJson] | None = None
    error: RemoteErrorJson | None = None


class AccountJson(PersonJson):
    """A person with the state of the account, where that was asked for."""

    status: str | None = None

    @property
    def is_active(self) -> bool:
        """Whether the account is certainly in use."""
        return self.type == "known" and (self.status or "").lower() in ACTIVE
