"""Google Cloud Key Management Service, by google-cloud-kms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from workbench.areas.security.encryption.errors import KeyUnavailable
from workbench.areas.security.encryption.keys import new_key
from workbench.areas.security.encryption.providers.clients import client_library
from workbench.areas.security.encryption.providers.model import GeneratedKey


class GcpKms:
    """A provider whose wrapping key never leaves Google Cloud KMS.

    *key* is its resource name, ``projects/…/locations/…/keyRings/…/cryptoKeys/…``. Login is the client's own
    affair; *options* go to it. The service makes no data keys: they are made here and wrapped there. The
    context is the additional authenticated data. Raises FeatureUnavailable without google-cloud-kms.

    Tested through the real client against a gRPC server that does real AES-GCM, not against Google Cloud.
    """

    name = "Google Cloud KMS"

    def __init__(self, key: str, **options: Any) -> None:
        self._errors = client_library("google.api_core.exceptions", self.name)
        self._client = client_library("google.cloud.kms", self.name).KeyManagementServiceClient(**options)
        self.key_id = key

    def generate(self, context: Mapping[str, str]) -> GeneratedKey:
        plain = new_key()
        wrapped, key_id = self.wrap(plain, context)
        return GeneratedKey(plain, wrapped, key_id)

    def wrap(self, plain: bytes, context: Mapping[str, str]) -> tuple[bytes, str]:
        bound = _bound(context)
        made = self._call("encrypt", name=self.key_id, plaintext=plain, additional_authenticated_data=bound)
        return bytes(made.ciphertext), str(made.name)  # the version of the key that wrapped

    def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        opened = self._call(
            "decrypt", name=self.key_id, ciphertext=wrapped, additional_authenticated_data=_bound(context)
        )
        return bytes(opened.plaintext)

    def destroy(self, key_id: str) -> str:
        planned = self._call("destroy_crypto_key_version", name=key_id)
        return f"unusable at once, destroyed by the service at {planned.destroy_time} unless restored"

    def _call(self, operation: str, **request: Any) -> Any:
        try:
            return getattr(self._client, operation)(request=request)
        except self._errors.GoogleAPICallError as exc:
            raise KeyUnavailable(f"{self.name}, {operation}: {type(exc).__name__}") from None

    def __repr__(self) -> str:
        return f"GcpKms({self.key_id!r})"


def _bound(context: Mapping[str, str]) -> bytes:
    return json.dumps(dict(sorted(context.items())), separators=(",", ":")).encode()
