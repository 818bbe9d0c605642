"""What column headers usually mean, in English, Indonesian and common platform exports."""

import re
import unicodedata
from collections.abc import Mapping

from features.config import TableName

Meanings = Mapping[str, tuple[str, ...]]

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_CURRENCY_WORDS = {"usd": "USD", "idr": "IDR", "rp": "IDR", "gbp": "GBP", "eur": "EUR"}
_SILENT_WORDS = {"utc", "wib", "the", "flag", *_CURRENCY_WORDS}
_INDONESIAN_WORDS = frozenset(
    # Words no English header uses; "total" and "margin" say nothing of the language.
    re.findall(
        r"\w+",
        """pelanggan pembeli konsumen tanggal tgl waktu jumlah harga nilai kuantitas pesanan faktur
        barang produk kategori kanal diskon retur tiket dibuka selesai respon langganan mulai
        berakhir paket bulanan skor survei kode nomor bayar pembayaran transaksi wilayah kota
        daftar""",
    )
)

UNITS: Mapping[str, str] = {
    **dict.fromkeys(("seconds", "secs", "sec", "detik"), "seconds"),
    **dict.fromkeys(("minutes", "mins", "min", "menit"), "minutes"),
    **dict.fromkeys(("hours", "hrs", "hour", "hr", "jam"), "hours"),
    **dict.fromkeys(("days", "hari"), "days"),
}
"""Unit word in a header to the unit it names."""


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in text.split(","))


_CUSTOMER_ID = (
    "customer id, id pelanggan, kode pelanggan, no pelanggan, nomor pelanggan, =pelanggan, "
    "=customer, client id, user id, member id, id member, account id, buyer id, id pembeli, "
    "household key, household id, consumer id, id konsumen, customer number, customer no, "
    "cust id, shopper id, customer ref, customer user id, person id, contact id, company id, "
    "=client, =konsumen, =pembeli, username pembeli, =user, =uid, account number, "
    "associated company ids, "
    "associated contact ids, customer email, billing email, email pelanggan, =email, "
    "email address, nama pembeli"
)
_CHANNEL = "channel, kanal, saluran, platform, =source, =sumber"
_TICKET_ID = (
    "ticket id, ticket number, ticket no, case number, case id, no tiket, nomor tiket, id tiket, "
    "kode tiket, conversation id, issue key, =ticket, =tiket, =case"
)

_ORDERS = {
    "customer_id": _CUSTOMER_ID,
    "ordered_at": "ordered at, order date, invoice date, purchase date, transaction date, "
    "tanggal pesanan, tanggal transaksi, tgl transaksi, tgl pesanan, tanggal pembelian, "
    "tanggal order, tgl order, waktu pesanan dibuat, waktu transaksi, tanggal faktur, "
    "tanggal invoice, order time, order timestamp, purchase timestamp, created at, created, "
    "=date, =tanggal, =tgl, =waktu, =timestamp, =datetime, processed at, paid at, "
    "tanggal pembayaran, close date",
    "amount": "line total, amount, line amount, total amount, total price, order total, "
    "net sales, sales value, dollar value, order value, sales amount, revenue, =total, "
    "total harga produk, total harga, total penjualan, total bayar, nilai transaksi, "
    "nilai pesanan, jumlah bayar, total pembayaran, jumlah pembayaran, subtotal, grand total, "
    "net amount, gross amount, payment value, extended price, =sales, =spend, =penjualan, "
    "=omzet, =nilai, =value, =jumlah",
    "order_id": "order id, invoice no, invoice id, invoice number, =invoice, order number, "
    "order no, transaction id, basket id, no pesanan, nomor pesanan, id pesanan, kode pesanan, "
    "no faktur, nomor faktur, no transaksi, id transaksi, kode transaksi, no invoice, "
    "nomor invoice, =faktur, receipt id, receipt no, =order, =name, =id",
    "product_id": "product id, sku, stock code, item id, product code, kode produk, "
    "kode barang, id produk, article id, lineitem sku, nomor sku, nomor referensi sku, "
    "=product, =item, =produk, =barang, product name, nama produk, nama barang, lineitem name",
    "category": "category, product category, kategori, kategori produk, department, "
    "product type, commodity desc, jenis produk",
    "channel": "sales channel, " + _CHANNEL + ", source name, marketplace",
    "quantity": "quantity, qty, kuantitas, units, jumlah barang, jumlah produk, jml, "
    "item count, number of items, =jumlah, number of",
    "margin": "margin, gross margin, gross profit, =profit, laba, keuntungan",
    "discount": "discount amount, discount, diskon, total diskon, potongan, potongan harga",
    "refunded_at": "refunded at, refund date, refunded date, return date, returned at, "
    "tanggal retur, tgl retur, tanggal pengembalian",
    "refund_amount": "refund amount, refunded amount, amount refunded, nilai retur, "
    "jumlah retur, nilai pengembalian, =refund, =retur",
    "unit_price": "unit price, =price, item price, lineitem price, price each, harga satuan, "
    "harga setelah diskon, harga jual, =harga, item cost",
}
_EVENTS = {
    "customer_id": _CUSTOMER_ID,
    "occurred_at": "occurred at, event time, event timestamp, event date, =timestamp, "
    "usage date, =time, =date, =waktu, =tanggal, waktu kejadian, created at, =ts, login at",
    "event": "event, event name, event type, feature name, action, activity, aksi, aktivitas, "
    "kejadian, nama event, =fitur, =type, =page",
    "value": "value, usage count, =count, =nilai, =jumlah, quantity, =amount",
    "session_id": "session id, session, id sesi, sesi, visit id",
    "channel": _CHANNEL + ", device",
}
_SUBSCRIPTIONS = {
    "customer_id": _CUSTOMER_ID,
    "subscription_id": "subscription id, id langganan, kode langganan, no langganan, "
    "nomor langganan, contract id, contract number, =subscription, =id",
    "started_at": "started at, start date, =start, =mulai, tanggal mulai, tgl mulai, "
    "contract start, activated at, activation date, created at, created, start date utc",
    "ended_at": "ended at, end date, =end, =berakhir, tanggal berakhir, tgl berakhir, "
    "cancelled at, canceled at, cancellation date, termination date, churn date, contract end, "
    "tanggal berhenti, =berhenti",
    "plan": "plan, plan name, plan tier, paket, nama paket, jenis paket, =tier, =product",
    "monthly_price": "monthly price, mrr amount, mrr, monthly amount, monthly charges, "
    "harga bulanan, biaya bulanan, price per month, =price, =amount, =harga",
    "auto_renew": "auto renew, auto renewal, perpanjang otomatis, perpanjangan otomatis",
    "end_reason": "end reason, cancellation reason, cancel reason, churn reason, reason code, "
    "alasan berhenti, =reason, =alasan",
}
_TICKETS = {
    "customer_id": _CUSTOMER_ID + ", requester id, requester email, requester, caller id, pelapor",
    "ticket_id": _TICKET_ID + ", =number, =id",
    "opened_at": "opened at, submitted at, created at, created time, created date, create date, "
    "date created, open date, =opened, =created, =dibuka, tanggal dibuka, waktu dibuka, "
    "tgl buka, tanggal buka, =dibuat, tanggal dibuat, tanggal tiket, tanggal lapor, =tanggal, "
    "=date",
    "first_response_at": "first response at, first reply at, first responded at, "
    "first response date, initial response time, respon pertama, tanggal respon pertama, "
    "waktu respon pertama, first response time",
    "resolved_at": "resolved at, resolved time, solved at, resolution date, date resolved, "
    "=selesai, tanggal selesai, waktu selesai, tgl selesai, diselesaikan, closed at, "
    "closed time, closed date, close date, =closed, =resolved, ditutup, tanggal ditutup",
    "reopened_at": "reopened at, reopen date, dibuka kembali, tanggal dibuka kembali",
    "escalated_at": "escalated at, escalation date, tanggal eskalasi, =eskalasi",
    "channel": _CHANNEL + ", =via, =origin, contact type",
    "category": "category, ticket type, issue type, kategori, kategori tiket, topic, topik, "
    "=type, =jenis",
    "priority": "priority, prioritas, severity, urgency",
    "contacts": "contacts, customer interactions, contact count, number of contacts, "
    "jumlah kontak, interaksi pelanggan",
    "transfers": "transfers, transfer count, reassignment count, reassignments, jumlah transfer, "
    "pengalihan",
    "agent_id": "agent id, assignee id, id agen, =agent, =assignee, assigned to, owner id, "
    "=petugas, =agen",
    "text": "description, message, body, keluhan, deskripsi, isi, pesan, subject, subjek, judul",
    "language": "language, bahasa, locale",
    "first_response_duration": "first response time, first reply time, first response, "
    "respon pertama, waktu respon pertama",
    "resolution_duration": "resolution time, full resolution time, time to resolution, "
    "lama penyelesaian, waktu penyelesaian",
}
_SURVEYS = {
    "customer_id": _CUSTOMER_ID + ", respondent id, requester id, requester email",
    "kind": "kind, survey type, survey kind, jenis survei, jenis, =metric, =type, =survey, =survei",
    "sent_at": "sent at, survey sent at, send date, dikirim, tanggal kirim, invited at",
    "answered_at": "=closed at, =solved at, =resolved at, answered at, responded at, "
    "response date, submitted at, submit date, "
    "completed at, dijawab, tanggal jawab, tanggal isi, =timestamp, =date, =tanggal, created at",
    "score": "score, nps score, nps, csat score, csat, ces score, ces, satisfaction score, "
    "satisfaction rating, rating, skor, penilaian, kepuasan, =nilai",
    "ticket_id": _TICKET_ID,
    "text": "comment, comments, feedback, komentar, ulasan, verbatim, =text, =alasan, saran",
}
_CONTACTS = {
    "customer_id": _CUSTOMER_ID,
    "contacted_at": "contacted at, contact date, sent at, send date, sent date, tanggal kontak, "
    "tanggal kirim, dikirim, dihubungi, =timestamp, =date, =tanggal",
    "campaign": "campaign, campaign name, campaign id, kampanye",
    "channel": _CHANNEL,
    "arm": "arm, test group, =group, =treatment, =variant, kelompok",
    "offer": "offer, promo, coupon, penawaran, voucher",
}
_CUSTOMERS = {
    "customer_id": _CUSTOMER_ID + ", =id",
    "signed_up_at": "signed up at, signup date, sign up date, registered at, registration date, "
    "join date, joined at, customer since, became a customer date, tanggal daftar, tgl daftar, "
    "tanggal registrasi, tanggal bergabung, created at, created, create date",
    "segment": "segment, segmen, customer segment, customer type, tipe pelanggan, "
    "jenis pelanggan, =industry, =tier, plan tier",
    "region": "region, wilayah, provinsi, province, country, negara, state, city, kota",
    "language": "language, bahasa, locale, preferred language",
    "timezone": "timezone, time zone, zona waktu",
    "preferred_channel": "preferred channel, contact preference, kanal pilihan",
    "email_consent": "email consent, accepts email marketing, accepts marketing, email opt in, "
    "marketing consent, izin email, persetujuan email",
    "sms_consent": "sms consent, accepts sms marketing, sms opt in, izin sms, persetujuan sms",
    "valid_from": "valid from, effective from, berlaku sejak",
}

_WRITTEN: Mapping[TableName, Mapping[str, str]] = {
    "orders": _ORDERS,
    "events": _EVENTS,
    "subscriptions": _SUBSCRIPTIONS,
    "tickets": _TICKETS,
    "surveys": _SURVEYS,
    "contacts": _CONTACTS,
    "customers": _CUSTOMERS,
}

MEANINGS: Mapping[TableName, Meanings] = {
    name: {column: _phrases(text) for column, text in columns.items()}
    for name, columns in _WRITTEN.items()
}
"""Table to column to phrases, likeliest first; `=` marks one that must be the whole header.

`unit_price` and the `_duration`s are no contract columns: they stand in for one.
"""


def words(header: str) -> tuple[str, ...]:
    """The lower-case words of a header: `InvoiceDate`, `invoice_date` and `Invoice Date` agree."""
    plain = unicodedata.normalize("NFKD", header).encode("ascii", "ignore").decode()
    return tuple(word.lower() for word in _WORD.findall(plain))


def is_indonesian(headers: tuple[str, ...]) -> bool:
    """Whether at least two headers are written in Indonesian."""
    return sum(bool(_INDONESIAN_WORDS & set(words(header))) for header in headers) >= 2


def currency_word(header: str) -> str | None:
    """The currency a header names, as `refund_amount_usd` does; None when it names none."""
    named = [_CURRENCY_WORDS[word] for word in words(header) if word in _CURRENCY_WORDS]
    return named[0] if named else None


def duration_unit(header: str) -> str | None:
    """The unit a header measures durations in (`seconds` … `days`); None when it names none."""
    named = [UNITS[word] for word in words(header) if word in UNITS]
    return named[-1] if named else None


def name_score(header: str, phrases: tuple[str, ...]) -> float:
    """How well a header says one of `phrases`, from 0 to 1; earlier phrases score a little more."""
    said = [word for word in words(header) if word not in _SILENT_WORDS]
    scores = [_phrase_score(said, phrase) - 0.004 * place for place, phrase in enumerate(phrases)]
    return max(0.0, *scores) if scores else 0.0


def _phrase_score(said: list[str], phrase: str) -> float:
    meant = phrase.lstrip("=").split()
    if "".join(said) == "".join(meant):
        return 1.0
    if phrase.startswith("=") or not set(meant) <= set(said):
        return 0.0
    return 0.45 + 0.4 * len(meant) / len(said)
