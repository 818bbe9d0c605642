"""What customers write about: a table of themes, each with its words in both languages."""

import re
from collections.abc import Iterable, Mapping
from fnmatch import translate
from functools import lru_cache

THEMES: Mapping[str, str] = {
    "price": (
        "harga* mahal* murah* kemahalan diskon* promo* voucher* kupon* ongkir* tarif* poin "
        "price* pricing pricey expensive cheap* cost costs costly discount* coupon* promotion* "
        "overpriced points"
    ),
    "delivery": (
        "*kirim* mengirim* pengirim* antar antarkan diantar* mengantar* pengantar* kurir* paket* "
        "resi ekspedisi* terlambat telat estimasi dilacak "
        "deliver* ship shipped shipping shipment* courier* parcel* package* tracking late delay* "
        "arrive arrives arrived arriving"
    ),
    "quality": (
        "rusak* cacat* kualitas* penyok* pecah* sobek* palsu* basi kedaluwarsa kadaluarsa "
        "ukuran* warna* berfungsi "
        "quality damage* broken broke defect* faulty crushed torn fake colour color size"
    ),
    "service": (
        "layanan* pelayanan* dilayani admin petugas* agen respon* ramah* sopan* kasar jutek "
        "cs keluhan* dibales bales balas* ditanggapi tanggapan* "
        "service* support agent* staff rude polite friendly helpful unhelpful response* reply "
        "replies replied answered complaint*"
    ),
    "technical": (
        "aplikasi* login akun* otp sandi eror galat macet gangguan* lemot pembaruan situs web* "
        "koneksi* sinyal* "
        "app apps log account* password* error* bug* crash* website* connection* signal outage*"
    ),
    "billing": (
        "*bayar* tagih* ditagih penagihan* refund* *kembalikan* pengembalian* dana saldo* "
        "terpotong faktur* invoice* transfer uang rekening* "
        "pay paid paying payment* bill billed billing charge* charging money bank card balance"
    ),
}
"""Theme to its words; * stands for any letters, so that *kirim* covers dikirim and kiriman."""

_CACHED_WORDS = 65_536
_PATTERNS = {
    theme: re.compile("|".join(translate(word) for word in words.split()))
    for theme, words in THEMES.items()
}


def themes_of(words: Iterable[str]) -> frozenset[str]:
    """The themes that `words`, in lower case, speak of."""
    return frozenset().union(*map(_themes_of_word, words))


@lru_cache(_CACHED_WORDS)
def _themes_of_word(word: str) -> frozenset[str]:
    return frozenset(theme for theme, pattern in _PATTERNS.items() if pattern.match(word))
