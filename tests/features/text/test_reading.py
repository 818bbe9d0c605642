"""What is kept of a text: numbers that make sense, or none."""

import json
import subprocess
import sys
from importlib.resources import files

import pytest

from features.contracts import TEXT_COLUMNS
from features.text.reading import read_text, with_text_read
from features.text.sentiment import WEIGHTS_FILE

OTHERS = {
    "Javanese": "Paketku durung tekan nganti saiki, piye iki?",
    "Sundanese": "Hatur nuhun, palayananana sa\u00e9 pisan.",
    "Dutch": "Mijn pakket is nog steeds niet aangekomen en niemand kan mij helpen.",
    "German": "Mein Paket ist immer noch nicht da und niemand kann mir helfen.",
    "Spanish": "Mi pedido todav\u00eda no ha llegado y nadie me ayuda.",
    "Portuguese": "Atendimento excelente, muito obrigado!",
    "French": "Service rapide et agr\u00e9able, merci beaucoup !",
    "Italian": "Mi avete addebitato due volte lo stesso ordine.",
    "Tagalog": "Hindi pa dumarating ang aking order hanggang ngayon.",
    "Vietnamese": "\u0110\u01a1n h\u00e0ng c\u1ee7a t\u00f4i v\u1eabn ch\u01b0a \u0111\u1ebfn.",
    "Turkish": "Ayn\u0131 sipari\u015f i\u00e7in iki kez \u00fccret al\u0131nd\u0131.",
    "Swedish": "Mycket snabb service, tack s\u00e5 mycket!",
    "Chinese": "\u670d\u52a1\u5f88\u597d\uff0c\u8c22\u8c22\uff01",
    "Arabic": "\u0644\u0645 \u062a\u0635\u0644 \u0627\u0644\u0637\u0644\u0628\u064a\u0629",
    "Russian": "\u0421\u043f\u0430\u0441\u0438\u0431\u043e \u0437\u0430 \u0432\u0441\u0451!",
}


def test_a_complaint_in_each_language_and_in_a_mixture_of_both() -> None:
    indonesian = read_text(" Pelayanan buruk, barang rusak dan petugasnya tidak ramah. ")
    assert (indonesian["text_length"], indonesian["text_language"]) == (57, "id")
    english = read_text("Terrible service, I was charged twice and nobody answers.")
    mixed = read_text("Admin slow respon, very disappointed, tidak membantu")
    for found in (indonesian, english, mixed):
        assert isinstance(found["text_sentiment"], float)
        assert found["text_sentiment"] < -0.4
    assert english["text_language"] == "en"
    assert mixed["text_language"] in ("id", "en")
    assert [name for name, value in indonesian.items() if value is True] == [
        "text_quality",
        "text_service",
    ]
    assert english["text_billing"] is True


@pytest.mark.parametrize("language", OTHERS)
def test_other_languages_are_unknown_and_have_no_sentiment(language: str) -> None:
    found = read_text(OTHERS[language])
    assert (found["text_language"], found["text_sentiment"]) == ("unknown", None)


@pytest.mark.parametrize("text", [None, "", "  \n"])
def test_no_text_gives_no_numbers(text: str | None) -> None:
    assert read_text(text) == {column.name: None for column in TEXT_COLUMNS}


def test_a_row_keeps_everything_but_the_words() -> None:
    row = {"ticket_id": "t1", "text": "harga mahal"}
    assert with_text_read(row) == {"ticket_id": "t1", **read_text("harga mahal")}
    assert row["text"] == "harga mahal"
    assert with_text_read({"ticket_id": "t1", "text_length": 3}) == {
        "ticket_id": "t1",
        "text_length": 3,
    }


def test_the_weights_are_small_plain_data_that_name_their_source() -> None:
    content = files("features.text").joinpath(WEIGHTS_FILE).read_bytes()
    assert len(content) <= 400_000
    document = json.loads(content)
    assert "NusaX" in document["source"]
    assert "CC BY-SA" in document["source"]
    assert all(type(weight) is int for pair in document["grams"].values() for weight in pair)


def test_reading_a_text_loads_no_engine_and_no_learner() -> None:
    code = (
        "import sys; from features.text.reading import read_text; read_text('bagus'); "
        "print(sorted({'sklearn', 'numpy', 'pandas', 'duckdb', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
