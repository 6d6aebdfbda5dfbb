"""The ways in which a secret may stand in a file: as it is, and as programs write it."""

from __future__ import annotations

import base64
import html
import json
import re
from urllib.parse import quote, quote_plus

_ENOUGH = 16  # letters and digits that do not occur by chance


def encodings(secret: bytes) -> dict[bytes, str]:
    """What to look for, and what it is called; the plain form first, no form twice."""
    forms = {secret: "as it is"}
    for name, form in [*_of_bytes(secret), *_of_text(secret), *_in_part(secret)]:
        forms.setdefault(form, name)
    return forms


def _in_part(secret: bytes) -> list[tuple[str, bytes]]:
    """The longest run of letters and digits, which survives any escaping, however often it was done."""
    longest = max(re.findall(rb"[0-9A-Za-z]+", secret), key=len, default=b"")
    return [("in part", longest)] if len(longest) >= _ENOUGH else []


def _of_bytes(secret: bytes) -> list[tuple[str, bytes]]:
    found = [("hexadecimal", secret.hex().encode()), ("hexadecimal", secret.hex().upper().encode())]
    for offset in range(3):  # base64 of a longer text takes the secret at one of three offsets
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            start, end = (offset * 8 + 5) // 6, (offset + len(secret)) * 8 // 6
            found.append(("base64", encode(bytes(offset) + secret)[start:end]))
    octal = "".join(chr(byte) if 32 <= byte < 127 and byte != 92 else f"\\{byte:03o}" for byte in secret)
    found.append(("octal escapes", octal.encode()))
    found.append(("Python literal", repr(secret)[2:-1].encode()))
    return found


def _of_text(secret: bytes) -> list[tuple[str, bytes]]:
    try:
        text = secret.decode()
    except UnicodeDecodeError:
        return []
    return [
        ("UTF-16", text.encode("utf-16-le")),
        ("UTF-16", text.encode("utf-16-be")),
        ("Latin-1", text.encode("latin-1", "replace")),
        ("SQL literal", text.replace("'", "''").encode()),
        ("backslash escapes", text.replace("\\", "\\\\").encode()),
        ("JSON", json.dumps(text)[1:-1].encode()),
        ("JSON", json.dumps(text, ensure_ascii=False)[1:-1].encode()),
        ("JSON in JSON", json.dumps(json.dumps(text)[1:-1])[1:-1].encode()),
        ("HTML", html.escape(text).encode()),
        ("HTML", html.escape(text, quote=False).encode()),
        ("URL", quote(text).encode()),
        ("URL", quote_plus(text, safe="").encode()),
    ]
