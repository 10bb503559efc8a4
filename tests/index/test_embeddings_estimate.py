"""Counting tokens without a tokenizer: never fewer than the real ones at hand count."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.bundled_file import verified
from index.embedding_local import TOKENIZER
from index.embedding_multilingual import MultilingualEmbedder
from index.minilm import open_tokenizer
from index.token_estimate import estimated_tokens

ENGLISH = (
    "To rotate the access keys, open the console, choose Security credentials and create a new "
    "key before you deactivate the old one; applications keep working in between. "
) * 4
TEXTS = {
    "English": ENGLISH,
    "German": "Der Administrator startet den Bereitstellungsserver neu, sobald die Prüfung grün "
    "ist; danach benachrichtigt er die Qualitätssicherung. ",
    "Russian": "Администратор должен перезапустить сервер развёртывания до обновления. ",
    "Greek": "Ο διαχειριστής πρέπει να επανεκκινήσει τον διακομιστή πριν από την ενημέρωση. ",
    "Chinese": "管理员必须在更新之前重新启动部署服务器，然后通知质量保证团队。",
    "Japanese": "管理者は更新の前にデプロイサーバーを再起動する必要があります。",
    "Korean": "관리자는 업데이트 전에 배포 서버를 다시 시작해야 합니다. ",
    "Hindi": "व्यवस्थापक को अद्यतन से पहले सर्वर पुनः आरंभ करना चाहिए। ",
    "Thai": "ผู้ดูแลระบบต้องรีสตาร์ทเซิร์ฟเวอร์ก่อนอัปเดต ",
    "emoji": "🚀✅⚠️👩‍💻🇩🇪",
    "code": "def replace_page(self, page_id: str) -> None:\n    self.pages[page_id] = Page()\n" * 5,
    "table": "| 17.50 | 2024-11-03 | ENG-4711 | 10.0.13.254 |\n" * 10,
    "JSON": json.dumps({"pageId": 123456, "labels": ["how-to", "vpn"], "isArchived": False}),
    "base64": base64.b64encode(bytes(range(256))).decode(),
    "hex": bytes(range(256)).hex(),
}


@pytest.fixture(scope="module")
def multilingual() -> MultilingualEmbedder:
    return MultilingualEmbedder(threads=1)


@pytest.mark.parametrize("kind", TEXTS)
def test_no_kind_of_text_is_counted_too_low(kind: str, multilingual: MultilingualEmbedder) -> None:
    word_pieces = open_tokenizer(verified(TOKENIZER))
    text = TEXTS[kind] * 3

    real = multilingual.count_tokens(text)
    if kind != "German":
        real = max(real, len(word_pieces.encode(text).ids))

    assert estimated_tokens(text) >= real


def test_english_is_not_counted_so_high_that_chunks_become_slivers() -> None:
    assert 2.7 < len(ENGLISH) / estimated_tokens(ENGLISH) < 3.7


@given(st.text(max_size=200), st.text(max_size=200))
def test_more_text_is_never_fewer_tokens_than_either_part_needs(first: str, second: str) -> None:
    whole = estimated_tokens(f"{first}\n{second}")

    assert whole >= 4
    assert whole + 1 >= max(estimated_tokens(first), estimated_tokens(second))


@given(st.text(max_size=300))
def test_it_never_exceeds_the_bytes_of_a_text(text: str) -> None:
    assert estimated_tokens(text) <= 4 + len(text.encode("utf-8", "surrogatepass"))
