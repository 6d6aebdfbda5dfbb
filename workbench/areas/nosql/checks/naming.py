"""What the names of fields and collections say: their words, and what these mean.

The words for money are those of the OLTP check for floating-point money, where they were tried on
hundreds of public schemas.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

from workbench.areas.nosql.checks import other_languages
from workbench.areas.nosql.checks.tallies import Names

_HUMP = re.compile(r"([a-z\d])([A-Z])")
_ACRONYM = re.compile(r"([A-Z]+)([A-Z][a-z])")
_NO_LETTER = re.compile(r"[^a-z]+")


@lru_cache(maxsize=20_000)
def words(name: str) -> tuple[str, ...]:
    """The words of a name in lower case, without accents: ``unitPriceUSD`` is unit, price, usd."""
    plain = "".join(
        each for each in unicodedata.normalize("NFKD", name) if not unicodedata.combining(each)
    ).replace("ß", "ss")
    apart = _ACRONYM.sub(r"\1_\2", _HUMP.sub(r"\1_\2", plain)).lower()
    return tuple(word for word in _NO_LETTER.split(apart) if word)


def last_name(names: Names) -> str:
    """The last name of a path that is no array step and no key that is data."""
    return next((name for name in reversed(names) if name not in ("[]", "*")), "")


def singular(word: str) -> str:
    """A word without its plural ending, by the rules of spelling alone."""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes", "zes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def word_set(text: str) -> frozenset[str]:
    """The words in *text*."""
    return frozenset(text.split())


_CURRENCIES = word_set(
    "usd eur gbp chf jpy cny inr cad aud sek nok dkk pln brl mxn dollar dollars euro euros"
)
_CODES_OF_CURRENCIES = word_set("usd eur gbp chf jpy cny aud brl mxn")
_BESIDE = _CURRENCIES | word_set(
    "ytd mtd qtd year month quarter last this next current previous old new min max net gross due paid "
    "owed in local base incl excl including excluding before after today"
)
_MONEY = word_set(
    "price prices fee fees salary salaries wage wages revenue revenues freight subtotal payout payment "
    "payments refund msrp surcharge budget income earnings debt expense expenses invoice cashback money "
    "unitprice listprice saleprice totalprice costprice taxamt totalamount totalcost unitcost "
    "freightcost shippingcost grandtotal fare fares"
)
_PERHAPS = word_set(
    "amount amounts amt balance bonus charge charges commission cost costs credit debit deposit premium "
    "profit rent spend sales tax taxes tip total totals turnover shipping"
)
_BILLS = word_set("invoice invoices billing bill bills receipt receipts payroll payslip payslips salary")
_SETTLES = word_set(
    "account bank billing cart cash chargeback credit debit discounted dollar dollars due eur euro "
    "euros gbp chf usd invoice labor labour list loan order owed paid payment price pricing prices "
    "purchase refund replacement retail salary sales shipping standard tax unit wholesale grand money "
    "transaction wallet checkout orders carts invoices payments purchases refunds transactions accounts "
    "wallets payouts expenses salaries loans fees ledger payroll product products catalog shop shipment "
    "shipments"
)
_NO_MONEY = word_set(
    "avg average mean median std stddev var variance zscore log normalized scaled predicted forecast "
    "model feature score rate rates ratio pct percent percentage factor fraction share index count "
    "counts qty quantity number days hours minutes seconds ms duration time weight distance length "
    "vacation leave sick pto overtime loyalty karma stamina mana xp "
    "height width area volume latitude longitude lat lon lng kg km ml mg kwh bytes pixels white color "
    "colour change growth elasticity sensitivity rating ratings points score scores stars level "
    "elevation altitude probability confidence"
)


def money(names: Names, collection: str) -> Literal["surely", "perhaps", ""]:
    """Whether the field at *names* holds money, by its name and by those around it."""
    own = words(last_name(names))
    if not own or set(own) & _NO_MONEY:
        return ""
    if other_languages.money(own) or _in_a_currency(own):
        return "surely"
    if other_languages.no_money(own):
        return ""
    before_per = own[: own.index("per")] if "per" in own[1:] else own
    heads = [word for word in before_per if word not in _BESIDE]
    head = heads[-1] if heads else ""
    around = set(words(collection)) | {word for name in names[:-1] for word in words(name)}
    if head in _MONEY or (not head and "price" in around and _CURRENCIES & set(own)):
        return "surely"
    if head in ("discount", "discounts") and ({"amount", "amt"} & set(own)):
        return "surely"
    if own in (("net",), ("gross",)) and around & _BILLS and not around & _NO_MONEY:
        return "surely"
    if (head in ("value", "amount", "sum") or own in (("net",), ("gross",))) and {
        "price",
        "prices",
        "pricing",
        "money",
    } & around:
        return "surely"
    if head in _PERHAPS:
        return "surely" if _SETTLES & (set(own) - {head} | around) else "perhaps"
    return ""


def _in_a_currency(own: tuple[str, ...]) -> bool:
    """Whether the name ends with one currency and is no pair of them: walletUsd, but not eur_usd."""
    return len(own) > 1 and own[-1] in _CODES_OF_CURRENCIES and not _CURRENCIES & set(own[:-1])


_QUANTITIES = word_set(
    "qty quantity quantities count counts age weight height width length depth stock score rating "
    "rate percent percentage pct lat latitude lon lng longitude altitude duration distance temperature "
    "humidity pressure speed views likes visits clicks points hours minutes seconds days area "
    "capacity inventory available reserved population discount average avg mean median min max "
    "threshold interval latency elapsed bytes bandwidth throughput voltage "
    "nights guests beds bedrooms bathrooms seats pages minimum maximum"
)
_CODES = word_set(
    "id ids code codes no nr num number phone telephone mobile fax zip zipcode postal postcode plz "
    "version ver release build isbn ean upc gtin sku barcode serial account iban bic ssn tin vat year "
    "month day week port model ref reference key hash token pin otp house street room apartment floor "
    "line ext extension lot batch passport license plate channel socket branch revision edition chapter "
    "section grade level size"
)


def quantity(names: Names, collection: str) -> bool:
    """Whether the name of the field says that one calculates with it."""
    own = set(words(last_name(names)))
    if money(names, collection):
        return True
    return bool(own & _QUANTITIES or other_languages.quantity(own)) and not own & (_CODES - _QUANTITIES)


def code(names: Names) -> bool:
    """Whether the name says that its digits are a code, with which one does not calculate."""
    own = set(words(last_name(names)))
    return bool(own & _CODES) and not own & _QUANTITIES


_CALENDAR = word_set(
    "birth birthday birthdate birthdays dob born death anniversary holiday holidays day days month week "
    "period easter nameday calendar"
)


def calendar_day(names: Names) -> bool:
    """Whether the name says a day of the calendar, which has no time and no zone: a birthday, a holiday."""
    text = last_name(names)
    lower = text.lower()
    return (
        bool(set(words(text)) & _CALENDAR)
        or "birth" in lower
        or lower == "_id"
        or other_languages.birthday("".join(words(text)))
    )


_MADE = re.compile(
    r"(?:(?:created|inserted|added|registered|placed|ordered|published|posted|logged|recorded|received|sent|"
    r"occurred|captured|ingested|started|opened|submitted|joined|purchased)(?:at|on|date|time|timestamp)?|"
    r"(?:creation|insertion|order|sale|purchase|log|transaction|registration|signup)"
    r"(?:at|on|date|time|timestamp)|date(?:created|added|ordered)|timestamp|ts|"
    r"(?:erstellt|angelegt)(?:am)?|creado(?:en|el)?|fecha(?:creacion|pedido|alta)|bestelldatum|creele)"
)


def when_made(path: str) -> bool:
    """Whether the last name of a queried path says when the document was made or the thing happened."""
    return bool(_MADE.fullmatch("".join(words(path.split(".")[-1]))))


_RAW = word_set("iso string str text raw original display formatted label human pretty version")


def display_text(names: Names) -> bool:
    """Whether the name says that the field is text on purpose."""
    return bool(set(words(last_name(names))) & _RAW)


_EXPIRY = re.compile(
    r"(?:expires?|expiry|expiration|expire|expires)(?:at|on|date|time|timestamp|after|ts)?|ttl(?:date|at)?|"
    r"(?:delete|purge|remove|evict)(?:at|on|after)|(?:valid|keep)until",
    re.IGNORECASE,
)
_TRANSIENT = word_set(
    "session token cart basket otp otps verification verify reset nonce invite invitation captcha csrf "
    "cache cached lock lease temp tmp temporary throttle ratelimit limit magic refresh login signin "
    "challenge job idempotency notification presence heartbeat pending draft upload handoff code"
)
_DURABLE = word_set(
    "contract card license licence subscription certificate policy coupon voucher promotion promo "
    "product batch lot inventory stock medicine drug passport membership domain warranty document "
    "insurance permit offer campaign posting vehicle driver employee customer user patient supplier "
    "agreement lease guarantee visa credit debit payment price discount plan registration accreditation "
    "food ingredient key ad quote order account gift reservation booking ticket listing "
    "archive backup history"
)


def expiry(name: str) -> bool:
    """Whether a field's name says when its document expires."""
    return bool(_EXPIRY.fullmatch("".join(words(name))))


def expiry_elsewhere(name: str) -> bool:
    """Whether a field's name says so in another language, or that something begins anew: resetAt."""
    return other_languages.expiry(words(name)) or words(name) in (("reset", "at"), ("resets", "at"))


_SHORT_LIVED = word_set("session token otp otps captcha csrf nonce verification reset magic")
_KEPT_ON = word_set("api device push fcm apns personal service training game class conference chat")
_CREDENTIAL = word_set("token sid jwt secret hash nonce otp csrf cookie refresh")
_LAST_USED = word_set(
    "active seen used access accessed activity updated modified created issued login started"
)


def credentials(collection: str, fields: Iterable[str]) -> bool:
    """Whether the collection is one of log-ins, tokens or codes: by its name, and a field that holds one."""
    own = {singular(word) for word in words(collection)}
    if not own & _SHORT_LIVED or own & _KEPT_ON or durable(collection):
        return False
    held = [set(words(field)) for field in fields]
    in_use = any("last" in each and each & {"active", "seen", "used", "access", "activity"} for each in held)
    return in_use or any(each & _CREDENTIAL or ("code" in each and "session" not in own) for each in held)


def last_used(name: str) -> bool:
    """Whether a field says when its document was made or last of use."""
    return bool(_LAST_USED & set(words(name)))


def transient(collection: str) -> bool:
    """Whether a collection's name says that its documents are of use for a while: sessions, tokens, carts."""
    own = [singular(word) for word in words(collection)]
    return (any(word in _TRANSIENT for word in own) or other_languages.transient(own)) and not durable(
        collection
    )


def durable(collection: str) -> bool:
    """Whether a collection's name says that its documents outlive what expires in them: contracts, cards.

    The last word decides (user_sessions are sessions), but for codes and keys, which are what they are of.
    """
    own = [singular(word) for word in words(collection)]
    if len(own) > 1 and own[-1] == "ticket" and own[-2] in ("matchmaking", "queue", "session", "login"):
        return False
    if own and own[-1] in ("code", "key"):
        return bool(_DURABLE & set(own[:-1]))
    return bool(own) and own[-1] in _DURABLE


_GROWING = word_set(
    "comment history event log activity message review follower following like view visit notification "
    "audit entry reading measurement transaction login change revision post reply reaction vote click "
    "order metric sample record attempt subscriber member attendee trace"
)


def growing(names: Names) -> bool:
    """Whether the name of an array says that something is added to it over time: comments, history."""
    own = words(last_name(names))
    return bool(own) and singular(own[-1]) in _GROWING


def reference_stem(name: str) -> str:
    """``customer`` of customerId, customer_id and customerRef; '' of a name without such an ending."""
    own = words(name)
    if len(own) > 1 and own[-1] in ("id", "ids", "ref", "refs", "oid", "oids", "fk"):
        return "_".join(own[:-1])
    return ""
