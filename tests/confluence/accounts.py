"""The people of a simulated site, and the tokens with which they sign in."""

from dataclasses import replace

from tests.confluence.content import AccountStatus, AccountType, Ids, Token, User
from tests.confluence.permissions import Permissions

EMAIL = "indexer@example.com"
TOKEN = "ATATT-simulated-token"


class Accounts:
    """Users and tokens; begins with one account, `crawler`, whose classic token is TOKEN."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self.permissions = Permissions(ids)
        self.users: dict[str, User] = {}
        self.tokens: dict[str, Token] = {}
        self.crawler = self.add_user("Wiki Indexer", email=EMAIL, account_type="app")
        self.tokens[TOKEN] = Token(self.crawler.account_id, None)

    def add_user(
        self,
        name: str,
        *,
        email: str = "",
        status: AccountStatus = "active",
        account_type: AccountType = "atlassian",
    ) -> User:
        """Add an account; without an e-mail address it keeps it private and cannot sign in."""
        account_id = f"712020:{self._ids.take():0>8}-5b10-4a2d-9c1e-7d3f00c0ffee"
        user = User(account_id, name, email, status, account_type)
        self.users[account_id] = user
        if account_type in ("atlassian", "app"):
            self.permissions.join(self.permissions.users_group, user)
        return user

    def set_status(self, user: User, status: AccountStatus) -> User:
        """Deactivate, close or reactivate an account."""
        self.users[user.account_id] = replace(self.users[user.account_id], status=status)
        return self.users[user.account_id]

    def issue_token(self, user: User, *, scopes: set[str] | None = None) -> str:
        """A new API token; one with scopes works through the gateway only."""
        token = f"ATATT-{self._ids.take()}"
        self.tokens[token] = Token(user.account_id, None if scopes is None else frozenset(scopes))
        return token

    def revoke_token(self, token: str) -> None:
        """Make a token worthless."""
        del self.tokens[token]
