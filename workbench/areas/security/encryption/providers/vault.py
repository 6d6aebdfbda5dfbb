"""HashiCorp Vault's or OpenBao's transit secrets engine, by hvac."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from workbench.areas.security.encryption.errors import KeyUnavailable
from workbench.areas.security.encryption.keys import new_key
from workbench.areas.security.encryption.providers.clients import client_library
from workbench.areas.security.encryption.providers.model import GeneratedKey


class VaultTransit:
    """A provider whose wrapping key *key* (of type ``aes256-gcm96``) never leaves the transit engine.

    *url* and *token* are the client's; without a token it reads VAULT_TOKEN. Data keys are made here and
    wrapped there, bound to the context as the engine's associated data. *options* go to hvac's client, such
    as ``namespace`` or ``verify``. Raises FeatureUnavailable without hvac.

    Tested through the real client against a server that speaks the engine's HTTP interface and does real
    AES-GCM; no Vault and no OpenBao was at hand to run it against.
    """

    name = "Vault transit"

    def __init__(
        self,
        key: str,
        *,
        url: str | None = None,
        token: str | None = None,
        mount_point: str = "transit",
        **options: Any,
    ) -> None:
        hvac = client_library("hvac", self.name)
        self._errors = (hvac.exceptions.VaultError, client_library("requests", self.name).RequestException)
        self._transit = hvac.Client(url=url, token=token, **options).secrets.transit
        self._mount_point = mount_point
        self.key_id = key

    def generate(self, context: Mapping[str, str]) -> GeneratedKey:
        plain = new_key()
        wrapped, key_id = self.wrap(plain, context)
        return GeneratedKey(plain, wrapped, key_id)

    def wrap(self, plain: bytes, context: Mapping[str, str]) -> tuple[bytes, str]:
        made = self._call(
            "encrypt_data",
            name=self.key_id,
            plaintext=base64.b64encode(plain).decode(),
            associated_data=_bound(context),
        )["data"]
        return made["ciphertext"].encode(), self.key_id

    def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        ciphertext = wrapped.decode("ascii", "replace")
        opened = self._call(
            "decrypt_data", name=self.key_id, ciphertext=ciphertext, associated_data=_bound(context)
        )["data"]
        return base64.b64decode(opened["plaintext"])

    def destroy(self, key_id: str) -> str:
        self._call("update_key_configuration", name=key_id, deletion_allowed=True)
        self._call("delete_key", name=key_id)
        return "deleted by the service at once; backups of its storage keep it"

    def _call(self, operation: str, **arguments: Any) -> Any:
        try:
            return getattr(self._transit, operation)(mount_point=self._mount_point, **arguments)
        except self._errors as exc:
            raise KeyUnavailable(f"{self.name}, {operation}: {type(exc).__name__}") from None

    def __repr__(self) -> str:
        return f"VaultTransit({self.key_id!r})"


def _bound(context: Mapping[str, str]) -> str:
    text = json.dumps(dict(sorted(context.items())), separators=(",", ":"))
    return base64.b64encode(text.encode()).decode()
