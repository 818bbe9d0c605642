"""What the generated company's customers write, in Indonesian and English."""

CATEGORIES = ("delivery", "product_quality", "payment", "refund", "account", "promotion")
TICKET_VARIANTS = 3

_INDONESIAN = {
    "delivery": (
        "Paket saya belum sampai padahal sudah lewat tiga hari dari estimasi.",
        "Kurir bilang sudah diantar, tapi saya tidak menerima apa-apa.",
        "Nomor resi tidak bisa dilacak sejak kemarin, mohon dicek.",
    ),
    "product_quality": (
        "Barang datang dalam keadaan rusak, kemasannya penyok.",
        "Warna dan ukuran tidak sesuai dengan pesanan saya.",
        "Baru dipakai seminggu sudah tidak berfungsi, kecewa sekali.",
    ),
    "payment": (
        "Pembayaran saya sudah terpotong tetapi pesanan masih menunggu.",
        "Transfer virtual account gagal terus, bagaimana caranya?",
        "Saya ditagih dua kali untuk pesanan yang sama.",
    ),
    "refund": (
        "Kapan dana saya dikembalikan? Sudah dua minggu menunggu.",
        "Refund yang masuk kurang dari jumlah yang dijanjikan.",
        "Tolong batalkan pesanan dan kembalikan uang saya.",
    ),
    "account": (
        "Saya tidak bisa masuk ke akun, kode OTP tidak pernah datang.",
        "Mohon bantu ganti nomor telepon di akun saya.",
        "Alamat saya berubah sendiri setelah pembaruan aplikasi.",
    ),
    "promotion": (
        "Kode voucher tidak bisa dipakai padahal masih berlaku.",
        "Poin saya hilang setelah transaksi terakhir.",
        "Gratis ongkir tidak muncul saat pembayaran.",
    ),
}
_ENGLISH = {
    "delivery": (
        "My parcel is three days late and nobody can tell me where it is.",
        "The courier says delivered, but nothing has arrived.",
        "The tracking number has not moved since yesterday, please check.",
    ),
    "product_quality": (
        "The item arrived damaged and the box was crushed.",
        "Wrong colour and wrong size, not what I ordered.",
        "It stopped working after a week, very disappointed.",
    ),
    "payment": (
        "I was charged but the order still says waiting for payment.",
        "The bank transfer keeps failing, what should I do?",
        "You charged me twice for the same order.",
    ),
    "refund": (
        "When will I get my money back? It has been two weeks.",
        "The refund is less than what I was promised.",
        "Please cancel the order and return my money.",
    ),
    "account": (
        "I cannot log in, the one-time code never arrives.",
        "Please help me change the phone number on my account.",
        "My address changed by itself after the app update.",
    ),
    "promotion": (
        "The voucher is refused although it is still valid.",
        "My points disappeared after the last purchase.",
        "Free delivery does not show at checkout.",
    ),
}

TICKET_TEXTS = tuple(
    text for book in (_INDONESIAN, _ENGLISH) for category in CATEGORIES for text in book[category]
)
"""By language (Indonesian first), then category, then variant."""

SURVEY_VARIANTS = 3
SURVEY_TEXTS = (
    "Lambat sekali dan tidak membantu.",
    "Saya kecewa, masalah tidak selesai.",
    "Harus menghubungi berkali-kali.",
    "Cukup, tetapi bisa lebih cepat.",
    "Biasa saja.",
    "Lumayan membantu.",
    "Cepat dan ramah, terima kasih!",
    "Masalah selesai, mantap.",
    "Pelayanan sangat memuaskan.",
    "Far too slow and no help at all.",
    "Disappointed, my problem is not solved.",
    "I had to call again and again.",
    "Fine, but it could be faster.",
    "Just average.",
    "Somewhat helpful.",
    "Quick and friendly, thank you!",
    "Problem solved, great.",
    "Very happy with the service.",
)
"""By language (Indonesian first), then unhappy, neutral, happy, then variant."""
