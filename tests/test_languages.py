"""What makes a word another word in its language is kept, and what only dresses it is dropped."""

import random
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup import Document, Filter, Index, Policy, _core

# The first article of the Universal Declaration of Human Rights.
ARTICLE = {
    "Arabic": (
        "يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق. وقد وهبوا عقلًا وضميرًا وعليهم "
        "أن يعامل بعضهم بعضًا بروح الإخاء."
    ),
    "Chinese": (
        "人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心,并应以兄弟关系的精神相对待。"
    ),
    "German": (
        "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit "
        "Vernunft und Gewissen begabt und sollen einander im Geist der Brüderlichkeit "
        "begegnen."
    ),
    "Greek": (
        "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα. "
        "Είναι προικισμένοι με λογική και συνείδηση, και οφείλουν να συμπεριφέρονται μεταξύ "
        "τους με πνεύμα αδελφοσύνης."
    ),
    "Hebrew": (
        "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם. כולם חוננו בתבונה ובמצפון, "
        "לפיכך חובה עליהם לנהוג איש ברעהו ברוח של אחווה."
    ),
    "Hindi": (
        "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त "
        "है। उन्हें बुद्धि और अन्तरात्मा की देन प्राप्त है और परस्पर उन्हें भाईचारे के भाव "
        "से बर्ताव करना चाहिए।"
    ),
    "Japanese": (
        "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。"
        "人間は、理性と良心とを授けられており、"
        "互いに同胞の精神をもって行動しなければならない。"
    ),
    "Korean": (
        "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. 인간은 "
        "천부적으로 이성과 양심을 부여받았으며 서로 형제애의 정신으로 행동하여야 한다."
    ),
    "Russian": (
        "Все люди рождаются свободными и равными в своём достоинстве и правах. Они наделены "
        "разумом и совестью и должны поступать в отношении друг друга в духе братства."
    ),
    "Thai": (
        "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ "
        "ต่างมีเหตุผลและมโนธรรม และควรปฏิบัติต่อกันด้วยเจตนารมณ์แห่งภราดรภาพ"
    ),
}
UNSPACED = ("Japanese", "Thai")

SAME = {
    "Arabic vowel signs": ("الْحَمْدُ لِلَّهِ رَبِّ الْعَالَمِينَ", "الحمد لله رب العالمين"),
    "Arabic tatweel": ("الـحـمـد للـــه رب العالمـيـن", "الحمد لله رب العالمين"),
    "Arabic seats of hamza": ("أكل إلى آخر", "اكل الى اخر"),
    "Arabic presentation forms": ("\ufe8d\ufedf\ufea4\ufee4\ufeaa \ufef5", "الحمد لآ"),
    "Arabic between direction marks": ("\u202bالحمد\u200f لله\u202c\u2067رب\u2069", "الحمد للهرب"),
    "Arabic digits stay numbers": ("سنة ١٩٤٨؟", "سنة، ١٩٤٨"),
    "Persian half space": ("می\u200cخواهم کتاب\u200cها", "میخواهم کتابها"),
    "Hebrew points and accents": (
        "וַיֹּ֥אמֶר אֱלֹהִ֖ים יְהִ֣י א֑וֹר וַֽיְהִי־אֽוֹר׃",
        "ויאמר אלהים יהי אור ויהי אור",
    ),
    "Hebrew presentation forms": ("\ufb2aלום ת\ufb4bרה", "שלום תורה"),
    "Hebrew geresh of all kinds": ("ג׳ירפה ז'קט", "ג'ירפה ז’קט"),
    "Hindi joiners": ("क्\u200dष त्\u200cर", "क्ष त्र"),
    "Hindi nukta, composed or not": ("\u0958लम ज़मीन", "क\u093cलम ज\u093cमीन"),
    "Hindi danda": ("गौरव और। अधिकारों॥", "गौरव और अधिकारों"),
    "Bengali vowel of two parts": ("ক\u09cbন", "ক\u09c7\u09beন"),
    "Tamil vowel of two parts": ("\u0b95\u0bca", "\u0b95\u0bc6\u0bbe"),
    "Thai marks of tone": ("ไม้ใหม่", "ไม\u0e48ใหม\u0e49"),
    "Korean in letters": (unicodedata.normalize("NFD", "한국어"), "한국어"),
    "Japanese half width": ("ﾗｲﾌﾞﾗﾘを使う", "ライブラリを使う"),
    "Chinese punctuation": ("人人生而自由，平等。", "人人生而自由 平等"),
    "Chinese compatibility ideographs": ("\uf9b4\uf98e", "領年"),
    "Russian yo": ("ещё всё", "еще все"),
    "Greek accents and last sigma": ("ΑΔΕΛΦΌΣ ψυχής", "αδελφος ψυχήσ"),
    "German umlauts and sharp s": ("GRÖSSE Maß", "größe mass"),
    "Turkish and Vietnamese marks": ("ISPARTA Việt Nam", "ısparta Viet Nam"),
}

DIFFERENT = {
    "Arabic letters that differ by dots": ("حبر", "خبر"),
    "Arabic ha and ta marbuta": ("مدرسه", "مدرسة"),
    "Persian words with a space between": ("می خواهم", "می\u200cخواهم"),
    "Hebrew last letters": ("שלום", "שלומ"),
    "Hindi vowels that stand beside": ("की", "का"),
    "Hindi short and long": ("कि", "की"),
    "Hindi breath": ("दुख", "दुःख"),
    "Thai vowels that stand beside": ("ใหม", "ไหม"),
    "Japanese kana of two kinds": ("らいぶらり", "ライブラリ"),
    "Japanese long vowel": ("ビル", "ビール"),
    "Chinese of two reforms": ("权利", "權利"),
    "Korean last letters": ("각", "간"),
    "Russian hard and soft": ("угол", "уголь"),
    "Greek and Latin": ("ο", "o"),
}


@pytest.mark.parametrize("what", SAME)
def test_what_dresses_a_word_is_dropped(what: str) -> None:
    dressed, plain = SAME[what]
    assert _core.normalised_tokens(dressed) == _core.normalised_tokens(plain)


@pytest.mark.parametrize("what", DIFFERENT)
def test_what_makes_another_word_is_kept(what: str) -> None:
    one, other = DIFFERENT[what]
    assert _core.normalised_tokens(one) != _core.normalised_tokens(other)


def test_signs_above_and_below_a_letter_are_dropped_though_they_are_vowels() -> None:
    # The price of dropping all that can be put above a letter to hide it.
    assert _core.normalised_tokens("कु के कं") == ["क", "क", "क"]
    assert _core.normalised_tokens("กิ กี กุ กู") == ["ก"] * 4


# ---- words of scripts without spaces


@pytest.mark.parametrize("language", UNSPACED)
def test_tokens_without_spaces_are_about_as_many_as_words(language: str) -> None:
    tokens = _core.normalised_tokens(ARTICLE[language])
    assert 20 <= len(tokens) <= 70  # of 30 words in English
    assert all(len(token) <= 16 for token in tokens)


@given(
    st.sampled_from([language for language in UNSPACED for _ in range(2)]),
    st.text("กขคงจตนมรสหอเแโไาะのをしたてにはカナリ人a '", max_size=12),
    st.text("กขคงจตนมรสหอเแโไาะのをしたてにはカナリ人a '", max_size=12),
    st.integers(0, 40),
)
def test_a_passage_without_spaces_is_cut_alike_in_any_company(
    language: str, before: str, after: str, start: int
) -> None:
    passage = ARTICLE[language].replace(" ", "")[start : start + 30]
    inner = _core.normalised_tokens(passage)[2:-2]
    found = _core.normalised_tokens(before + passage + after)
    assert any(found[at : at + len(inner)] == inner for at in range(len(found) - len(inner) + 1))


# ---- from end to end


@pytest.fixture(scope="module")
def filters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Filter]:
    """One for each language, of its article alone."""
    made = {}
    for language, text in ARTICLE.items():
        index = Index.create(tmp_path_factory.mktemp("languages") / language, key=None)
        index.add([Document(language, text)])
        index.commit()
        made[language] = Filter(index, Policy.strict())
    return made


@pytest.mark.parametrize("language", ARTICLE)
def test_a_copy_is_blocked_and_its_bytes_are_told(
    filters: dict[str, Filter], language: str
) -> None:
    text = ARTICLE[language]
    query = f"So it says: {text} And so on."
    verdict = filters[language].check(query)
    assert verdict.action == "block"
    (match,) = verdict.matches
    copied = query.encode()[match.query_span.start : match.query_span.end].decode()
    assert text.startswith(copied)
    assert len(copied) > 0.9 * len(text)


@pytest.mark.parametrize("language", ARTICLE)
def test_other_words_of_the_same_letters_pass(filters: dict[str, Filter], language: str) -> None:
    # As many letters of each kind as the text has, ten times over, in another order.
    dice = random.Random(language)
    letters = [*ARTICLE[language]] * 10
    dice.shuffle(letters)
    assert filters[language].check("".join(letters)).action == "allow"


@pytest.mark.parametrize("language", ARTICLE)
def test_an_article_in_another_language_passes(filters: dict[str, Filter], language: str) -> None:
    for other in ARTICLE:
        if other != language:
            assert filters[language].check(ARTICLE[other]).action == "allow"
