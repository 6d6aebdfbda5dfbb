"""Words of field and collection names in German, Spanish, French, Portuguese, Italian and Dutch.

Without accents, as `naming.words` gives them. A word that means something else in English, or in another
of these languages, is left out (*nombre*, *valor*, *taxa*); in German the last part of a word decides.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_MONEY = _set(
    "preis preise betrag betrage kosten umsatz umsatze gebuhr gebuhren gehalt lohn guthaben saldo erlos "
    "precio precios importe importes coste costes costo costos monto montos ingresos gastos sueldo salario "
    "prix montant montants cout couts salaire solde loyer "
    "preco precos custo custos salarios prezzo prezzi importo importi costi stipendio spesa spese "
    "prijs prijzen bedrag bedragen omzet salaris"
)
_MONEY_ENDINGS = (
    "preis",
    "preise",
    "betrag",
    "kosten",
    "gebuhr",
    "gebuehr",
    "umsatz",
    "guthaben",
    "prijs",
    "bedrag",
)
_NO_MONEY = _set(
    "prozent prozentsatz quote satz faktor anteil anzahl menge gewicht dauer index durchschnitt mittel "
    "porcentaje tasa factor cantidad numero peso duracion indice promedio media variacion "
    "pourcentage taux facteur quantite nombre poids duree moyenne "
    "percentual quantidade percentuale quantita durata fattore aantal gewicht percentage"
)
_QUANTITIES = _set(
    "menge anzahl gewicht bestand alter hohe breite lange dauer temperatur stuckzahl "
    "cantidad existencias peso edad altura ancho largo duracion temperatura "
    "quantite poids hauteur largeur longueur duree quantidade altura largura quantita altezza larghezza "
    "aantal voorraad hoogte breedte lengte"
)
_QUANTITY_ENDINGS = ("bestand", "menge", "anzahl", "gewicht", "stueckzahl", "stuckzahl")
_CURRENCIES = _set("wahrung waehrung moneda divisa devise moeda valuta")
_BIRTH = ("geburt", "nacimiento", "naissance", "nascimento", "nascita", "geboorte", "cumpleanos")
_DATES = _set("datum fecha data jour dia giorno zeit zeitpunkt hora heure erstellt creado cree criado")
_DATE_ENDINGS = ("datum", "zeitpunkt")
_EXPIRES = (
    "ablauf",
    "lauftab",
    "laeuftab",
    "caduca",
    "caducidad",
    "expira",
    "expiracion",
    "expiration",
    "scade",
)
_TRANSIENT = (
    "sitzung",
    "warenkorb",
    "warenkoerbe",
    "warenkorbe",
    "sesion",
    "carrito",
    "cesta",
    "panier",
    "carrinho",
    "carrello",
    "winkelwagen",
    "sessao",
    "sessoes",
    "sessione",
    "sessioni",
)


def _ends(own: Sequence[str], endings: tuple[str, ...]) -> bool:
    return any(word.endswith(ending) and word != ending for word in own for ending in endings)


def money(own: Collection[str]) -> bool:
    """Whether one of the words is money, and none a share, a number or a weight."""
    return bool(_MONEY & set(own) or _ends(list(own), _MONEY_ENDINGS)) and not _NO_MONEY & set(own)


def no_money(own: Collection[str]) -> bool:
    return bool(_NO_MONEY & set(own))


def quantity(own: Collection[str]) -> bool:
    """Whether one of the words is something with which one calculates."""
    return bool(_QUANTITIES & set(own)) or _ends(list(own), _QUANTITY_ENDINGS)


def currency(text: str) -> bool:
    return text in _CURRENCIES


def birthday(text: str) -> bool:
    """Whether a name in lower case and without accents is that of a birthday."""
    return any(word in text for word in _BIRTH)


def date(own: Collection[str]) -> bool:
    """Whether one of the words is a date or a time."""
    return bool(_DATES & set(own)) or _ends(list(own), _DATE_ENDINGS)


def expiry(own: Sequence[str]) -> bool:
    """Whether a field's words say when its document expires."""
    return "".join(own).startswith(_EXPIRES) or (bool(own) and own[-1] in _EXPIRES)


def transient(own: Sequence[str]) -> bool:
    """Whether a collection's words say that its documents are of use for a while: sessions, carts."""
    return any(word.startswith(_TRANSIENT) for word in own)
