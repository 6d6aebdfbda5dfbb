"""Key services through their own clients, over the network interface that the clients speak.

AWS KMS is moto's, behind its HTTP proxy. Vault's transit engine and Google Cloud KMS are small servers here
that speak the services' HTTP and gRPC interfaces and do real AES-256-GCM.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from workbench.areas.security.encryption import ColumnCipher, Keyring, KeyTable, KeyUnavailable
from workbench.areas.security.encryption.providers import (
    AwsKms,
    GcpKms,
    GeneratedKey,
    KeyProvider,
    LocalFile,
    VaultTransit,
)
from workbench.engines.postgres import Server
from workbench.errors import FeatureUnavailable

CONTEXT = {"application": "test", "purpose": "values", "identity": ""}


class _Keys:
    """What a key service does inside: named AES keys."""

    def __init__(self) -> None:
        self.keys: dict[str, bytes] = {}

    def seal(self, name: str, plain: bytes, bound: bytes) -> bytes:
        nonce = os.urandom(12)
        return nonce + AESGCM(self.keys[name]).encrypt(nonce, plain, bound)

    def open(self, name: str, sealed: bytes, bound: bytes) -> bytes:
        return AESGCM(self.keys[name]).decrypt(sealed[:12], sealed[12:], bound)


@contextmanager
def served(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def aws() -> Iterator[dict[str, Any]]:
    """The options of a boto3 client that reaches moto's KMS over HTTP."""
    pytest.importorskip("boto3")
    proxy = pytest.importorskip("moto.moto_proxy.proxy3")
    from botocore.config import Config

    logging.getLogger("moto.moto_proxy").setLevel(logging.ERROR)
    with served(proxy.ProxyRequestHandler) as port:
        yield {
            "region_name": "eu-west-1",
            "endpoint_url": "http://kms.eu-west-1.amazonaws.com",
            "aws_access_key_id": "none",
            "aws_secret_access_key": "none",
            "config": Config(proxies={"http": f"http://127.0.0.1:{port}"}, retries={"max_attempts": 1}),
        }


def aws_key(options: dict[str, Any]) -> str:
    import boto3

    return str(boto3.client("kms", **options).create_key()["KeyMetadata"]["Arn"])


class _Transit(BaseHTTPRequestHandler):
    """The transit engine's encrypt, decrypt, config and delete in Vault's HTTP interface."""

    service = _Keys()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        *_, verb, name = self.path.split("/")
        if self.headers.get("X-Vault-Token") != "s.token":
            return self._answer(403, {"errors": ["permission denied"]})
        if name == "config":
            return self._answer(204, None)
        if name not in self.service.keys:
            return self._answer(400, {"errors": ["encryption key not found"]})
        bound = base64.b64decode(body.get("associated_data") or "")
        try:
            if verb == "encrypt":
                sealed = self.service.seal(name, base64.b64decode(body["plaintext"]), bound)
                data = {"ciphertext": "vault:v1:" + base64.b64encode(sealed).decode()}
            else:
                sealed = base64.b64decode(body["ciphertext"].removeprefix("vault:v1:"))
                data = {"plaintext": base64.b64encode(self.service.open(name, sealed, bound)).decode()}
        except (InvalidTag, ValueError):
            return self._answer(400, {"errors": ["cipher: message authentication failed"]})
        return self._answer(200, {"data": data})

    do_PUT = do_POST  # noqa: N815 - the server's name

    def do_DELETE(self) -> None:
        del self.service.keys[self.path.rpartition("/")[2]]
        self._answer(204, None)

    def _answer(self, status: int, content: Any) -> None:
        body = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        return


@pytest.fixture(scope="module")
def vault() -> Iterator[str]:
    pytest.importorskip("hvac")
    with served(_Transit) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def google_cloud() -> Iterator[tuple[_Keys, Any]]:
    """A gRPC server with Encrypt, Decrypt and DestroyCryptoKeyVersion, and the client's transport to it."""
    pytest.importorskip("google.cloud.kms")
    import grpc
    from google.cloud.kms_v1 import types
    from google.cloud.kms_v1.services.key_management_service.transports import (
        KeyManagementServiceGrpcTransport,
    )

    keys = _Keys()

    def answer(work: Any) -> Any:
        def handled(request: Any, context: Any) -> Any:
            try:
                return work(request)
            except KeyError:
                context.abort(grpc.StatusCode.NOT_FOUND, "no such key")
            except InvalidTag:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "decryption failed")

        return handled

    def encrypt(request: Any) -> Any:
        sealed = keys.seal(request.name, request.plaintext, request.additional_authenticated_data)
        return types.EncryptResponse(name=f"{request.name}/cryptoKeyVersions/1", ciphertext=sealed)

    def decrypt(request: Any) -> Any:
        plain = keys.open(request.name, request.ciphertext, request.additional_authenticated_data)
        return types.DecryptResponse(plaintext=plain)

    def destroy(request: Any) -> Any:
        del keys.keys[request.name.partition("/cryptoKeyVersions/")[0]]
        return types.CryptoKeyVersion(name=request.name)

    def method(work: Any, request: Any, response: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(
            answer(work), request_deserializer=request.deserialize, response_serializer=response.serialize
        )

    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers(
        [
            grpc.method_handlers_generic_handler(
                "google.cloud.kms.v1.KeyManagementService",
                {
                    "Encrypt": method(encrypt, types.EncryptRequest, types.EncryptResponse),
                    "Decrypt": method(decrypt, types.DecryptRequest, types.DecryptResponse),
                    "DestroyCryptoKeyVersion": method(
                        destroy, types.DestroyCryptoKeyVersionRequest, types.CryptoKeyVersion
                    ),
                },
            )
        ]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    try:
        yield keys, KeyManagementServiceGrpcTransport(channel=channel)
    finally:
        channel.close()
        server.stop(None).wait()


def keeps_its_promises(provider: KeyProvider) -> GeneratedKey:
    """What every provider must do; the key that it made."""
    made = provider.generate(CONTEXT)
    assert len(made.plain) == 32 and made.plain not in made.wrapped
    assert provider.unwrap(made.wrapped, CONTEXT) == made.plain
    wrapped, key_id = provider.wrap(made.plain, CONTEXT)
    assert provider.unwrap(wrapped, CONTEXT) == made.plain and key_id
    refused: list[Exception] = []
    for other_wrapped, context in (
        (made.wrapped, {**CONTEXT, "identity": "ann"}),
        (made.wrapped, {}),
        (made.wrapped[:-3] + b"AAA", CONTEXT),
        (b"junk", CONTEXT),
    ):
        with pytest.raises(KeyUnavailable) as caught:
            provider.unwrap(other_wrapped, context)
        refused.append(caught.value)
    for each in (*refused, provider, made):
        assert made.plain.hex() not in repr(each) and repr(made.plain)[2:-1] not in repr(each)
    return made


def test_a_key_file_keeps_its_promises(tmp_path: Path):
    """The local provider, by the same test as the services."""
    keeps_its_promises(LocalFile(tmp_path / "keys.json"))


def test_aws_kms_keeps_its_promises(aws: dict[str, Any]):
    """Through boto3; a destroyed key is disabled and waits for its deletion (moto refuses it nothing)."""
    import boto3

    provider = AwsKms(aws_key(aws), **aws)
    keeps_its_promises(provider)

    assert "unusable at once" in provider.destroy(provider.key_id)
    state = boto3.client("kms", **aws).describe_key(KeyId=provider.key_id.rpartition("/")[2])["KeyMetadata"]
    assert (state["KeyState"], state["Enabled"]) == ("PendingDeletion", False)
    with pytest.raises(KeyUnavailable, match="NotFoundException"):
        AwsKms("00000000-0000-0000-0000-000000000000", **aws).generate(CONTEXT)


def test_vault_transit_keeps_its_promises(vault: str):
    """Through hvac; without the right token, or once the key is deleted, nothing is unwrapped."""
    _Transit.service.keys["shop"] = os.urandom(32)
    provider = VaultTransit("shop", url=vault, token="s.token")
    made = keeps_its_promises(provider)

    with pytest.raises(KeyUnavailable, match="Forbidden"):
        VaultTransit("shop", url=vault, token="s.wrong").unwrap(made.wrapped, CONTEXT)
    provider.destroy("shop")
    with pytest.raises(KeyUnavailable, match="Vault transit, decrypt_data"):
        provider.unwrap(made.wrapped, CONTEXT)
    with pytest.raises(KeyUnavailable, match="Connection"):
        VaultTransit("shop", url="http://127.0.0.1:9", token="s.token").generate(CONTEXT)


def test_google_cloud_kms_keeps_its_promises():
    """Through google-cloud-kms, where it is installed."""
    with google_cloud() as (keys, transport):
        name = "projects/p/locations/l/keyRings/r/cryptoKeys/k"
        keys.keys[name] = os.urandom(32)
        provider = GcpKms(name, transport=transport)
        made = keeps_its_promises(provider)

        provider.destroy(f"{name}/cryptoKeyVersions/1")
        with pytest.raises(KeyUnavailable, match="Google Cloud KMS, decrypt: NotFound"):
            provider.unwrap(made.wrapped, CONTEXT)


def test_a_keyring_moves_from_a_file_to_a_service(
    server: Server, database: str, aws: dict[str, Any], vault: str, tmp_path: Path
):
    """File, then AWS, then Vault: each time the data keys are wrapped anew and every value still opens."""
    table = KeyTable(lambda: server.session(database))
    table.make()
    _Transit.service.keys["moved"] = os.urandom(32)
    keyring = Keyring(table, LocalFile(tmp_path / "keys.json"))
    stored = ColumnCipher(keyring, "shop", "users", "ssn").encrypt("123-45-6789", 7)

    for provider in (AwsKms(aws_key(aws), **aws), VaultTransit("moved", url=vault, token="s.token")):
        assert keyring.rewrap(provider) == 1
        fresh = Keyring(table, provider)
        assert ColumnCipher(fresh, "shop", "users", "ssn").decrypt(stored, 7) == "123-45-6789"
        assert {each.provider for each in fresh.all_keys()} == {provider.name}
    with pytest.raises(KeyUnavailable, match="wrapped by Vault transit"):
        wrong = Keyring(table, LocalFile(tmp_path / "keys.json"))
        ColumnCipher(wrong, "shop", "users", "ssn").decrypt(stored, 7)


def test_a_service_that_returns_another_key_is_not_trusted(server: Server, database: str, tmp_path: Path):
    """A key that does not come back from its provider is never stored, nor used."""
    table = KeyTable(lambda: server.session(database))
    table.make()

    class Faulty(LocalFile):
        def unwrap(self, wrapped: bytes, context: Any) -> bytes:
            return bytes(32)

    with pytest.raises(KeyUnavailable, match="another key"):
        Keyring(table, Faulty(tmp_path / "keys.json")).sealing()
    assert table.all() == []


@pytest.mark.parametrize(
    ("module", "make"),
    [
        ("boto3", lambda: AwsKms("k")),
        ("hvac", lambda: VaultTransit("k")),
        ("google", lambda: GcpKms("k")),
    ],
)
def test_a_missing_client_library_is_named(monkeypatch: pytest.MonkeyPatch, module: str, make: Any):
    """Which client, and the extra that brings it."""
    import importlib

    original = importlib.import_module

    def without(name: str, package: str | None = None) -> Any:
        if name.partition(".")[0] == module:
            raise ImportError(name)
        return original(name, package)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(FeatureUnavailable, match=r"pip install 'database-workbench\[kms\]'"):
        make()
