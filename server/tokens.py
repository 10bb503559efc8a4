"""Access tokens of an identity provider: signed by it, for this server, and in time."""

from collections.abc import Mapping
from dataclasses import dataclass

import jwt
from pydantic import JsonValue, TypeAdapter

from index.errors import ConfluenceMcpError
from server.auth_settings import Issuer
from server.jwks import Jwk, SigningKeys

LEEWAY = 60  # seconds by which clocks may differ
LONGEST = 16 * 1024  # characters of a token

# By algorithm the type of its keys. Only those with two keys: what verifies must not sign.
ALGORITHMS = {
    "RS256": "RSA", "RS384": "RSA", "RS512": "RSA",
    "PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
    "ES256": "EC", "ES384": "EC", "ES512": "EC",
    "EdDSA": "OKP",
}  # fmt: skip
# Other tokens of the same issuer, such as those that tell of a logout, name another type.
TYPES = {"jwt", "at+jwt", "application/jwt", "application/at+jwt"}
REQUIRED = ["iss", "aud", "exp", "sub"]

_OBJECT = TypeAdapter(dict[str, JsonValue])


class TokenRefused(ConfluenceMcpError):
    """A token that does not hold; the text is for the log and tells nothing of its content."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a token that holds says of who carries it.

    `email` is None unless the issuer has verified it. Without `email` and `account` it is
    somebody of whom no account is known.
    """

    subject: str
    client: str
    email: str | None
    account: str | None
    scopes: frozenset[str]
    expires_at: int


class AccessTokens:
    """Checks the tokens of one issuer."""

    def __init__(self, issuer: Issuer, keys: SigningKeys) -> None:
        self._issuer = issuer
        self._keys = keys

    async def claimed(self, token: str) -> Claimed:
        """What it says; raises TokenRefused, or IssuerUnavailable when it cannot be checked."""
        algorithm, kid = _header(token)
        key_type = ALGORITHMS[algorithm]
        keys = await self._keys.named(kid)
        # A name is nearly always that of one key; where it is not, any of them may have signed.
        for key in keys:
            if key.verifies(algorithm, key_type):
                claims = self._claims(token, key, algorithm)
                if claims is not None:
                    return _claimed(claims, self._issuer.account_claim)
        raise TokenRefused("no key of the issuer has signed it" if keys else "unknown key")

    def _claims(self, token: str, key: Jwk, algorithm: str) -> Mapping[str, JsonValue] | None:
        """The claims; None when another key has signed them."""
        try:
            found = jwt.decode(
                token,
                jwt.PyJWK(key.model_dump(exclude_none=True), algorithm),
                algorithms=[algorithm],
                audience=self._issuer.audience,
                issuer=self._issuer.url,
                leeway=LEEWAY,
                options={"require": REQUIRED, "enforce_minimum_key_length": True},
            )
            return _OBJECT.validate_python(found)
        except jwt.InvalidSignatureError:
            return None
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            # Their texts may repeat what the token says; their names do not.
            raise TokenRefused(type(error).__name__) from None


def _header(token: str) -> tuple[str, str | None]:
    """Algorithm and name of the key. Whatever else a header points to is left alone."""
    if len(token) > LONGEST:
        raise TokenRefused("too long")
    try:
        header = _OBJECT.validate_python(jwt.get_unverified_header(token))
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise TokenRefused(type(error).__name__) from None
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise TokenRefused("algorithm not allowed")
    if not isinstance(kind, str) or kind.lower() not in TYPES:
        raise TokenRefused("not an access token")
    return algorithm, kid if isinstance(kid, str) else None


def _claimed(claims: Mapping[str, JsonValue], account_claim: str) -> Claimed:
    subject = _text(claims.get("sub"))
    if subject is None:
        raise TokenRefused("no subject")
    value = _text(claims.get(account_claim))
    is_email = account_claim == "email"
    is_verified = claims.get("email_verified") is True
    return Claimed(
        subject=subject,
        client=_text(claims.get("client_id")) or _text(claims.get("azp")) or subject,
        email=value if is_email and is_verified else None,
        account=None if is_email else value,
        scopes=_scopes(claims.get("scope")) | _scopes(claims.get("scp")),
        expires_at=_seconds(claims["exp"]),
    )


def _text(value: JsonValue) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _scopes(value: JsonValue) -> frozenset[str]:
    """A text with spaces, as RFC 9068 has it, or a list, as some providers do."""
    if isinstance(value, str):
        return frozenset(value.split())
    if isinstance(value, list):
        return frozenset(scope for scope in value if isinstance(scope, str))
    return frozenset()


def _seconds(value: JsonValue) -> int:
    return int(value) if isinstance(value, int | float | str) else 0
