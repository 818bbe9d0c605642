"""What messages say: to customers, to those who call them, in two languages, from own templates."""

import re
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from features.config import PipelineConfig
from serving.outreach.decide.decisions import STEPS
from serving.outreach.words.playbook import FORMS, Playbook, PlaybookError, playbook_of
from serving.outreach.words.samples import sample, samples

PLAYBOOK = Playbook("Toko Nusantara", unsubscribe="https://toko.example/stop?c={customer_id}")
CHANNELS = ("email", "messaging", "phone")
NEVER_SAID = re.compile(
    r"churn|risk|risiko|predict|prediksi|model|score|skor|probab|value|nilai|raises|menaikkan"
    r"|0\.71|71|1[.,]313|31 hours|c_sample|algorithm|data",
    re.IGNORECASE,
)


def own(folder: Path, name: str, text: str) -> Playbook:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return Playbook("Toko", folder=folder)


@pytest.mark.parametrize("language", ["en", "id"])
@pytest.mark.parametrize("channel", ["email", "messaging"])
def test_no_text_for_a_customer_says_what_was_computed_about_them(
    language: str, channel: str
) -> None:
    quiet = Playbook("Toko Nusantara")
    for payload in samples(channel, language):
        words = quiet.words(payload)
        for part in (words.text, words.subject or ""):
            assert not NEVER_SAID.search(part), part


def test_what_the_company_did_is_told_without_its_figure() -> None:
    waited = PLAYBOOK.words(sample("win_back", "email", "en", "waiting"))
    assert waited.subject == "We would like to put this right"
    assert "You had to wait longer for an answer from us" in waited.text
    bought_less = PLAYBOOK.words(sample("win_back", "email", "en", "recency"))
    assert bought_less.subject == "How are things going?"
    assert "sorry" not in bought_less.text


@pytest.mark.parametrize(
    "reason",
    [
        {"text": "t", "effect": "lowers", "actionable": True, "theme": "waiting"},
        {"text": "t", "effect": "raises", "actionable": False, "theme": "waiting"},
        {"text": "t", "effect": "raises", "actionable": True},
        {"text": "t", "effect": "raises", "actionable": True, "theme": "satisfaction"},
    ],
)
def test_nothing_is_apologised_for_that_does_not_raise_the_risk_or_was_read_between_the_lines(
    reason: dict[str, Any],
) -> None:
    payload = sample("win_back", "email", "en") | {"reasons": [reason]}
    assert PLAYBOOK.words(payload).subject == "How are things going?"


def test_the_one_who_calls_gets_reasons_next_step_and_the_time_on_their_clock() -> None:
    playbook = Playbook("Toko", zone=ZoneInfo("Asia/Jakarta"))
    text = playbook.words(sample("win_back", "phone", "en")).text
    assert "- First answer took 31 hours (raises risk)" in text
    assert "Suggested: Apologise for the wait and name one person to turn to" in text
    assert "Value at risk: 1,313,500 IDR" in text
    assert "Not after: 2026-01-03 10:00" in text
    assert "Generated company: this customer is not real." in text


def test_whoever_calls_a_customer_at_low_risk_is_not_told_to_wait_and_see() -> None:
    calm = {"risk_tier": "low", "next_step": "Watch; the risk is still low"}
    assert "Watch" not in PLAYBOOK.words(sample("check_in", "phone", "en") | calm).text


def test_each_step_reads_differently_in_each_language_and_form() -> None:
    texts = [
        PLAYBOOK.words(sample(step, channel, language)).text
        for step in STEPS.values()
        for channel in CHANNELS
        for language in ("en", "id")
    ]
    assert len(set(texts)) == len(texts) == 18


def test_money_is_written_as_the_language_writes_it() -> None:
    assert "1.313.500 IDR" in PLAYBOOK.words(sample("apology", "phone", "id")).text


def test_a_short_message_is_one_line_that_fits_two_texts() -> None:
    for language in ("en", "id"):
        for payload in samples("messaging", language):
            text = PLAYBOOK.words(payload).text
            assert "\n" not in text
            assert len(text) <= 306


def test_the_customer_can_object_and_their_id_is_quoted_in_the_address() -> None:
    payload = sample("check_in", "email", "id") | {"customer_id": "a b&c"}
    words = PLAYBOOK.words(payload)
    assert words.text.endswith("https://toko.example/stop?c=a%20b%26c")
    assert 'href="https://toko.example/stop?c=a%20b%26c"' in (words.html or "")


def test_html_says_the_same_and_runs_nothing(tmp_path: Path) -> None:
    playbook = own(
        tmp_path, "en/check_in/email.txt", "Subject: A & B\n\n{{ customer_id }}, hello\n\nBye"
    )
    payload = sample("check_in", "email", "en") | {"customer_id": "<script>alert(1)</script>"}
    words = playbook.words(payload)
    assert words.text == "<script>alert(1)</script>, hello\n\nBye"
    assert "<title>A &amp; B</title>" in (words.html or "")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;, hello</p>" in (words.html or "")


def test_parts_are_what_a_payload_needs() -> None:
    email = PLAYBOOK.words(sample("apology", "email", "en")).parts()
    assert list(email) == ["form", "text", "subject", "html"]
    assert list(PLAYBOOK.words(sample("apology", "phone", "en")).parts()) == ["form", "text"]


def test_a_language_without_templates_falls_back_to_the_companys() -> None:
    strange = sample("apology", "messaging", "en") | {"language": "../en"}
    assert Playbook("Toko", language="id").words(strange).text.startswith("Halo, ini Toko.")
    assert PLAYBOOK.words(strange | {"language": None}).text.startswith("Hello from")


def test_own_templates_take_the_place_of_ours_and_bring_new_languages(tmp_path: Path) -> None:
    playbook = own(tmp_path, "en/apology/message.txt", "Sorry from {{ company }}")
    for step in STEPS.values():
        own(tmp_path, f"jv/{step}/message.txt", "Nuwun sewu, {{ company }}")
    assert playbook.words(sample("apology", "messaging", "en")).text == "Sorry from Toko"
    assert "first order" in playbook.words(sample("check_in", "messaging", "en")).text
    assert playbook.words(sample("check_in", "chat", "jv")).text == "Nuwun sewu, Toko"
    playbook.check(["messaging"])


def test_a_better_template_reaches_messages_that_wait(tmp_path: Path) -> None:
    playbook = own(tmp_path, "en/apology/message.txt", "First")
    payload = sample("apology", "messaging", "en")
    assert playbook.words(payload).text == "First"
    own(tmp_path, "en/apology/message.txt", "Second, and longer")
    assert playbook.words(payload).text == "Second, and longer"


def test_our_templates_are_sound_on_every_channel() -> None:
    PLAYBOOK.check(FORMS)


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{{ churn_probability }}", "asks for churn_probability; it may use company, customer_id"),
        ("{% if generated %}{{ reasons }}{% endif %}", "asks for reasons; it may use company"),
        ("{{ company.colour }}", "'str object' has no attribute 'colour'"),
        ("{{ company", "unexpected end of template"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ ''.__class__.__mro__ }}", "access to attribute '__class__' of 'str' object is unsafe"),
        ("{% include 'en/nothing.txt' %}", "there is no template en/nothing.txt"),
    ],
)
def test_a_template_that_cannot_be_used_is_named_before_anything_is_decided(
    tmp_path: Path, template: str, problem: str
) -> None:
    playbook = own(tmp_path, "en/apology/message.txt", template)
    with pytest.raises(PlaybookError, match=re.escape(problem)) as caught:
        playbook.check(["messaging"])
    assert "en/nothing.txt" in str(caught.value) or "en/apology/message.txt" in str(caught.value)


def test_a_script_may_use_reasons_that_an_e_mail_may_not(tmp_path: Path) -> None:
    own(tmp_path, "en/apology/script.txt", "{{ reasons[0].text if reasons }}").check(["phone"])


def test_a_customers_text_cannot_be_given_reasons_through_a_shared_part(tmp_path: Path) -> None:
    playbook = own(tmp_path, "en/ending.txt", "{{ risk_tier }}")
    with pytest.raises(PlaybookError, match=r"en/apology/email\.txt: 'risk_tier' is undefined"):
        playbook.words(sample("apology", "email", "en"))


def test_only_the_forms_of_the_channels_in_use_are_asked_for(tmp_path: Path) -> None:
    own(tmp_path, "en/apology/script.txt", "{{ nothing }}").check(["email", "messaging"])


def test_an_e_mail_template_begins_with_its_subject(tmp_path: Path) -> None:
    playbook = own(tmp_path, "en/apology/email.txt", "Hello")
    with pytest.raises(PlaybookError, match=r'first line must be "Subject: …"'):
        playbook.check(["email"])


def test_a_new_language_without_all_steps_is_refused_before_anything_is_decided(
    tmp_path: Path,
) -> None:
    playbook = own(tmp_path, "jv/apology/message.txt", "Nuwun sewu")
    with pytest.raises(PlaybookError, match=r"no template jv/check_in/message\.txt"):
        playbook.check(["messaging"])


def test_an_unknown_channel_is_refused_by_name() -> None:
    with pytest.raises(PlaybookError, match="no form of words for channel 'pigeon'; there are"):
        PLAYBOOK.words(sample("apology", "pigeon", "en"))


def test_the_configuration_names_the_company() -> None:
    settings = PipelineConfig.model_validate(
        {
            "name": "toko-id",
            "currency": "IDR",
            "sources": {},
            "outreach": {"company": "Toko Nusantara", "unsubscribe": "mailto:stop@toko.example"},
            "serving": {"language": "id"},
        }
    )
    playbook = playbook_of(settings)
    words = playbook.words(sample("check_in", "email", "nl"))
    assert words.text.startswith("Halo,\n\nTerima kasih sudah memilih Toko Nusantara.")
    assert words.text.endswith("mailto:stop@toko.example")
